"""The style sheet of reports: light and dark after the reader's setting, one column on a phone."""

from __future__ import annotations

STYLE = """
:root { color-scheme: light dark; --page: #f6f7f9; --card: #ffffff; --ink: #1b2330; --soft: #5d6878; --line: #dde2e9;
  --main: #2f6fde; --warm: #d9480f; --conv: #2f6fde; --small: #1098ad; --pool: #e8890c; --skip: #8a94a3; }
@media (prefers-color-scheme: dark) { :root { --page: #12161d; --card: #1b212b; --ink: #e6eaf0; --soft: #9aa6b6;
  --line: #313a47; --main: #74a7ff; --warm: #ff9257; --conv: #74a7ff; --small: #4dd0e1; --pool: #ffb74d;
  --skip: #8b97a8; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 1160px; margin: 0 auto; padding: 24px 16px 48px; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 16px; overflow-wrap: anywhere; }
h2, figcaption { font-size: 1.05rem; font-weight: 600; margin: 0 0 10px; }
p { color: var(--soft); margin: -8px 0 16px; }
section, figure { margin: 0 0 16px; }
section:not(.charts):not(.facts), figure, .facts > div { background: var(--card); border: 1px solid var(--line);
  border-radius: 10px; padding: 16px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(135px, 1fr)); gap: 12px; margin: 0 0 16px; }
.tiles div { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 10px 14px; }
dt { color: var(--soft); font-size: .85rem; }
dd { margin: 0; font-size: 1.3rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.charts, .facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 400px), 1fr)); gap: 16px;
  align-items: start; }
.charts figure { margin: 0; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: 6px 12px 6px 0; border-top: 1px solid var(--line); }
th { color: var(--soft); font-weight: 500; }
.numbers td { white-space: nowrap; }
.numbers .text { white-space: normal; overflow-wrap: anywhere; min-width: 240px; }
@media (max-width: 720px) {
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
.numbers thead th, .facts tr:first-child > * { border-top: 0; }
.facts td { overflow-wrap: anywhere; }
.facts th { width: 40%; }
code { font: .8rem ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
svg { display: block; width: 100%; height: auto; font-size: 13px; }
svg text { fill: var(--soft); }
.grid { stroke: var(--line); stroke-width: 1; }
.dots { stroke: var(--main); stroke-opacity: .4; stroke-width: 6; stroke-linecap: round; fill: none; }
.steps { stroke: var(--warm); stroke-width: 2.2; fill: none; }
.mark { fill: var(--warm); stroke: var(--card); stroke-width: 1.5; }
"""
