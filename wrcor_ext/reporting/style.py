"""The style sheet of reports: light and dark after the reader's setting, one column on a phone."""

from __future__ import annotations

STYLE = """
:root { color-scheme: light dark; --page: #f6f7f9; --card: #ffffff; --ink: #1b2330; --soft: #5d6878; --line: #dde2e9;
  --main: #2f6fde; --warm: #c2410c; }
@media (prefers-color-scheme: dark) { :root { --page: #12161d; --card: #1b212b; --ink: #e6eaf0; --soft: #9aa6b6;
  --line: #313a47; --main: #74a7ff; --warm: #ff9257; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 1160px; margin: 0 auto; padding: 24px 16px 48px; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 16px; overflow-wrap: anywhere; }
h2, figcaption { font-size: 1.05rem; font-weight: 600; margin: 0 0 10px; }
p { color: var(--soft); margin: -8px 0 14px; font-size: .92rem; }
section, figure { margin: 0 0 16px; }
section:not(.charts):not(.cards):not(.pictures), figure, .cards > div { background: var(--card);
  border: 1px solid var(--line); border-radius: 10px; padding: 16px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(140px, 1fr)); gap: 12px; margin: 0 0 16px; }
.tiles div { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 10px 14px; }
dt { color: var(--soft); font-size: .85rem; }
dd { margin: 0; font-size: 1.2rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.charts, .cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 400px), 1fr)); gap: 16px;
  align-items: start; }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 340px), 1fr)); gap: 16px;
  align-items: start; }
.charts figure, .pictures figure { margin: 0; }
.picture figcaption { font-weight: 400; color: var(--soft); font-variant-numeric: tabular-nums; font-size: .92rem; }
.picture b { color: var(--ink); margin-right: .4em; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: 6px 12px 6px 0; border-top: 1px solid var(--line); }
th { color: var(--soft); font-weight: 500; }
.numbers td { white-space: nowrap; }
.numbers .text { white-space: normal; overflow-wrap: anywhere; min-width: 240px; }
@media (max-width: 720px) {
  main { padding: 16px 12px 32px; }
  .tiles { grid-template-columns: repeat(auto-fit, minmax(100px, 1fr)); gap: 8px; }
  .tiles div { padding: 8px 10px; }
  dd { font-size: 1.1rem; }
  section:not(.charts):not(.cards):not(.pictures), figure, .cards > div { padding: 12px; }
  .numbers, .numbers tbody { display: block; }
  .numbers thead { display: none; }
  .numbers tr { display: grid; grid-template-columns: repeat(auto-fill, minmax(88px, 1fr)); padding: 8px 0;
    border-top: 1px solid var(--line); }
  .numbers tr:first-child { border-top: 0; padding-top: 0; }
  .numbers td { border-top: 0; padding: 3px 12px 3px 0; }
  .numbers td::before { content: attr(data-name); display: block; color: var(--soft); font-size: .8rem;
    white-space: normal; overflow-wrap: anywhere; }
  .numbers .text { grid-column: 1 / -1; min-width: 0; }
}
thead th, thead td, .facts tr:first-child > *, .shares tr:first-child > * { border-top: 0; }
.facts th, .facts td, .failures .text { overflow-wrap: anywhere; }
.facts th { width: 40%; }
.matrix th[scope=row] { width: 1%; min-width: 7em; }
.matrix td, .matrix th[scope=col] { text-align: right; padding: 6px 8px; }
.matrix .plus { background: color-mix(in srgb, var(--main) calc(var(--strength) * 45%), transparent); }
.matrix .minus { background: color-mix(in srgb, var(--warm) calc(var(--strength) * 45%), transparent); }
.matrix .same { color: var(--soft); }
.shares th[scope=row] { width: 1%; white-space: nowrap; color: var(--ink); font-weight: 400; }
.shares td { text-align: right; width: 1%; white-space: nowrap; }
.shares .kind td { color: var(--soft); }
.shares .kind td:nth-child(2), .shares td.best { color: var(--warm); font-weight: 600; }
.shares .bars { width: 55%; padding-right: 0; vertical-align: middle; }
.shares i { display: block; height: 6px; margin: 2px 0; border-radius: 0 3px 3px 0; background: var(--soft);
  opacity: .5; min-width: 1px; }
.shares i.best { background: var(--warm); opacity: 1; }
code { font: .8rem ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
svg { display: block; width: 100%; height: auto; }
.picture svg { max-width: 100%; margin: 0 auto; }
.chart { font-size: 12.5px; font-variant-numeric: tabular-nums; }
.chart text { fill: var(--soft); }
.chart .name { fill: var(--warm); font-weight: 600; }
.grid { stroke: var(--line); stroke-width: 1; }
.dots { stroke: var(--main); stroke-opacity: .4; stroke-width: 5; stroke-linecap: round; fill: none; }
.strong { stroke: var(--warm); stroke-opacity: 1; stroke-width: 7; }
.steps { stroke: var(--warm); stroke-width: 2; fill: none; }
.mark { fill: var(--warm); stroke: var(--card); stroke-width: 1.5; }
"""
