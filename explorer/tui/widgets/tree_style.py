"""The styles of the tree's tones, by the theme's colours (docs/design.md)."""

TREE_CSS = """
TreeView {
    background: $background;
    scrollbar-size: 0 0;
    .tree--kept { color: $text-success; text-style: bold; }
    .tree--figures { color: $foreground; }
    .tree--label { color: $foreground 60%; }
    .tree--bar { color: $foreground 45%; }
    .tree--rejected { color: $foreground 50%; }
    .tree--running { color: $foreground; text-style: bold; }
    .tree--queued { color: $foreground 60%; }
    .tree--undecided { color: $foreground; text-style: bold; }
    .tree--failed { color: $text-error; }
    .tree--layer { color: $layer; text-style: bold; }
    .tree--units { color: $units; text-style: bold; }
    .tree--best { color: $text-success; text-style: bold; }
    .tree--sign { color: $foreground; text-style: bold; }
    .tree--fold { color: $foreground 60%; }
    .tree--edge { color: $foreground 35%; }
    .tree--path { color: $text-success; text-style: bold; }
    .tree--match { color: $foreground; text-style: bold underline; }
    .tree--unmatched { color: $foreground 30%; }
    .tree--cursor { color: $primary; background: $foreground; text-style: bold reverse; }
    .tree--resting { color: $foreground; background: $foreground 25%; text-style: bold; }
    .tree--crumb { color: $foreground; text-style: bold; }
    .tree--map { color: $foreground 35%; }
    .tree--seen { color: $foreground; }
    &:light .tree--cursor { background: $surface; }
    &:ansi {
        .tree--kept { color: ansi_green; }
        .tree--figures { color: ansi_default; }
        .tree--label { color: ansi_default; text-style: dim; }
        .tree--bar { color: ansi_default; text-style: dim; }
        .tree--rejected { color: ansi_default; text-style: dim; }
        .tree--running { color: ansi_default; }
        .tree--queued { color: ansi_default; text-style: dim; }
        .tree--undecided { color: ansi_default; }
        .tree--failed { color: ansi_red; }
        .tree--best { color: ansi_green; }
        .tree--sign { color: ansi_default; }
        .tree--fold { color: ansi_default; text-style: dim; }
        .tree--edge { color: ansi_default; text-style: dim; }
        .tree--path { color: ansi_green; }
        .tree--match { color: ansi_default; }
        .tree--unmatched { color: ansi_default; text-style: dim; }
        .tree--cursor { color: ansi_default; background: ansi_default; }
        .tree--resting { color: ansi_default; background: ansi_default; text-style: reverse; }
        .tree--crumb { color: ansi_default; }
        .tree--map { color: ansi_default; text-style: dim; }
        .tree--seen { color: ansi_default; }
    }
}
"""
