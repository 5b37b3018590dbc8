import { LitElement } from 'lit';

/** Rendered into the page itself: one style sheet, and labels and descriptions that may point anywhere. */
export class LightElement extends LitElement {
  protected override createRenderRoot(): HTMLElement {
    return this;
  }
}
