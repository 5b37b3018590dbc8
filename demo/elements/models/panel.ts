/** What the chooser dialog stands on: the store in the worker, the GPU, and what is loaded. Fetched when it is first opened. */
import { html } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import type { ModelInfo } from '../../../src/api/types.ts';
import type { FitDevice } from '../../../src/catalogue/index.ts';
import type { ModelChoice } from '../../models/choice.ts';
import { pageDevice } from '../../models/device.ts';
import { workerKeeper } from '../../models/keeper.ts';
import { EMPTY_SHELF, Shelf, type ShelfState } from '../../models/shelf.ts';
import type { ChoiceOptions } from '../../session.ts';
import { LightElement } from '../light-element.ts';
import './chooser.ts';

/** One for the page: a download goes on while the dialog is closed. */
let shelf: Shelf | null = null;
const watchers = new Set<(state: ShelfState) => void>();

function theShelf(): Shelf {
  shelf ??= new Shelf(workerKeeper(), (state) => {
    for (const watch of watchers) watch(state);
  });
  return shelf;
}

@customElement('rk-models-panel')
export class ModelsPanel extends LightElement {
  @property({ attribute: false }) info: ModelInfo | null = null;
  @property({ attribute: false }) current = '';
  @property({ attribute: false }) onLoad: (choice: ModelChoice, options: ChoiceOptions) => void = () => {};
  @property({ attribute: false }) onClose: () => void = () => {};

  @state() private shelfState: ShelfState = EMPTY_SHELF;
  @state() private device: FitDevice | null = null;

  readonly #watch = (state: ShelfState) => {
    this.shelfState = state;
  };

  override connectedCallback(): void {
    super.connectedCallback();
    watchers.add(this.#watch);
    this.shelfState = theShelf().state;
    void pageDevice(this.info).then((device) => {
      this.device = device;
    });
  }

  override disconnectedCallback(): void {
    watchers.delete(this.#watch);
    super.disconnectedCallback();
  }

  override render() {
    return html`<rk-chooser
      .shelf=${theShelf()}
      .shelfState=${this.shelfState}
      .device=${this.device}
      .current=${this.current}
      .onLoad=${this.onLoad}
      .onClose=${this.onClose}
    ></rk-chooser>`;
  }
}
