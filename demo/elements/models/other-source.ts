/** Anything that the catalogue does not have: a repository or an address by name, or files from disk. */
import { html } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import { type ModelOrigin, parseModelName } from '../../../src/checkpoint/hub/reference.ts';
import { isReckonError } from '../../../src/errors.ts';
import { LightElement } from '../light-element.ts';

@customElement('rk-other-source')
export class OtherSource extends LightElement {
  @property({ attribute: false }) token = '';
  @property({ attribute: false }) keep = true;
  @property({ attribute: false }) busy = false;
  @property({ attribute: false }) onOrigin: (origin: ModelOrigin) => void = () => {};
  @property({ attribute: false }) onFiles: (files: File[]) => void = () => {};
  @property({ attribute: false }) onToken: (token: string) => void = () => {};
  @property({ attribute: false }) onKeep: (keep: boolean) => void = () => {};

  @state() private complaint: string | null = null;

  readonly #onSubmit = (event: Event) => {
    event.preventDefault();
    const input = this.querySelector<HTMLInputElement>('input[name=source]');
    let origin: ModelOrigin;
    try {
      origin = parseModelName(input?.value ?? '');
      this.complaint = null;
    } catch (error) {
      this.complaint = isReckonError(error) ? error.message : String(error);
      input?.focus();
      return;
    }
    this.onOrigin(origin);
  };

  readonly #onFiles = (event: Event) => {
    const input = event.target as HTMLInputElement;
    const files = [...(input.files ?? [])];
    // The same choice again is to be an event again.
    input.value = '';
    if (files.length > 0) this.onFiles(files);
  };

  override render() {
    const { complaint, busy } = this;
    return html`
      <form class="other-source" @submit=${this.#onSubmit} novalidate aria-label="Another model">
        <label class="field wide">
          <span class="label">Any repository or address</span>
          <input name="source" type="text" placeholder="owner/name or https://…" autocomplete="off" spellcheck="false" autocapitalize="off"
            aria-invalid=${complaint ? 'true' : 'false'} aria-describedby="source-note" />
        </label>
        <button type="submit" class="button" data-action="fetch" ?disabled=${busy}>Fetch</button>
        <label class="button file">
          Folder from disk…
          <input class="visually-hidden" type="file" name="files" webkitdirectory multiple @change=${this.#onFiles} />
        </label>
        <p id="source-note" class=${complaint ? 'complaint' : 'hint'} aria-live="polite">
          ${complaint ?? 'Safetensors, MLC, MLX or GGUF. Files from disk are read where they are; nothing is sent anywhere.'}
        </p>
        <details class="advanced">
          <summary>Access token, keeping</summary>
          <label class="field wide">
            <span class="label">Access token for gated repositories</span>
            <input name="token" type="password" autocomplete="off" spellcheck="false" .value=${this.token} aria-describedby="token-note"
              @input=${(event: Event) => this.onToken((event.target as HTMLInputElement).value.trim())} />
            <span id="token-note" class="hint">It goes to the repository's own server, and is forgotten when this page is closed.</span>
          </label>
          <label class="field check">
            <input name="keep" type="checkbox" .checked=${this.keep} @change=${(event: Event) => this.onKeep((event.target as HTMLInputElement).checked)} />
            <span>Keep on this device: ask the browser not to clear models when space runs short</span>
          </label>
        </details>
      </form>
    `;
  }
}
