import { css } from 'lit';

/** Colours follow `color-scheme`; every one may be set from outside as `--reckon-…`. */
export const budgetStyle = css`
  :host {
    display: block;
  }

  :host([hidden]) {
    display: none;
  }

  /* Not on the host, where any rule of the page would come first. */
  .panel {
    --ink: var(--reckon-ink, light-dark(#1c1b19, #ebe9e4));
    --muted: var(--reckon-muted, light-dark(#66625b, #a09c94));
    --track: var(--reckon-track, light-dark(#e8e5de, #303338));
    --fill: var(--reckon-fill, light-dark(#1f5f7a, #7cc0dc));
    --concluding: var(--reckon-concluding, light-dark(#9a5f10, #e7b868));
    --spent: var(--reckon-spent, light-dark(#a3322a, #f0958b));
    position: relative;
    color: var(--ink);
    font: 13px / 1.4 var(--reckon-font, ui-sans-serif, system-ui, sans-serif);
    font-variant-numeric: tabular-nums;
    letter-spacing: normal;
    text-align: start;
    text-transform: none;
    white-space: normal;
  }

  dl,
  dd,
  p {
    margin: 0;
  }

  .figures {
    display: grid;
    grid-template-columns: repeat(auto-fit, minmax(88px, 1fr));
    gap: 10px 12px;
  }

  dt,
  .of {
    color: var(--muted);
    font-size: 12px;
  }

  dd {
    /* The widest figure, "31.6 GFLOP", fits a third of the page's panel in a wide serif too. */
    font: 500 15px / 1.4 var(--reckon-figure-font, inherit);
    font-size: 15px;
    white-space: nowrap;
  }

  .budget {
    display: grid;
    gap: 8px;
    margin-top: 14px;
  }

  .state {
    display: flex;
    align-items: baseline;
    justify-content: space-between;
    gap: 12px;
    font-size: 12px;
    color: var(--muted);
  }

  .state strong {
    font-weight: 600;
    color: var(--ink);
  }

  [data-state='concluding'] {
    --fill: var(--concluding);
  }

  [data-state='spent'] {
    --fill: var(--spent);
  }

  :is([data-state='concluding'], [data-state='spent']) .state strong {
    color: var(--fill);
  }

  .gauge {
    display: grid;
    grid-template-columns: auto 1fr;
    gap: 3px 10px;
  }

  .of {
    text-align: end;
    white-space: nowrap;
  }

  .track {
    grid-column: 1 / -1;
    height: 6px;
    border-radius: 3px;
    background: var(--track);
    overflow: hidden;
  }

  .track span {
    display: block;
    height: 100%;
    border-radius: 3px;
    background: var(--fill);
  }

  .said {
    position: absolute;
    width: 1px;
    height: 1px;
    margin: -1px;
    overflow: hidden;
    clip-path: inset(50%);
    white-space: nowrap;
  }

  @media (prefers-reduced-motion: no-preference) {
    .track span {
      transition: width 120ms linear;
    }
  }

  @media (forced-colors: active) {
    .track {
      border: 1px solid;
    }

    .track span {
      background: Highlight;
      forced-color-adjust: none;
    }
  }
`;
