//! What a reader sees: view model, plots, flamegraphs, HTML, Markdown, JSON.
