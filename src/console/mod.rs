//! Progress and closing table, drawn from journal events alone.
