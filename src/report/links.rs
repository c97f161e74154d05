//! Links from the places that a report names to the lines in an editor.

use std::collections::BTreeMap;

use super::words::Piece;
use crate::analysis::view::RunView;
use crate::phrase;

/// Where each place leads; nowhere without an editor.
#[derive(Debug, Default)]
pub(super) struct Links(BTreeMap<String, Option<String>>);

impl Links {
    /// Of all lines that the findings of a run name.
    pub fn of(view: &RunView) -> Links {
        let mut links = Links::default();
        let Some(editor) = &view.editor else { return links };
        let findings = &view.result.findings;
        let held = findings.iter().flat_map(|finding| &finding.holders).flat_map(|holder| &holder.locations);
        for at in findings.iter().flat_map(|finding| &finding.locations).chain(held) {
            let link = editor.link(&at.file, at.line);
            let known = links.0.entry(phrase::place(&at.file, at.line)).or_insert_with(|| link.clone());
            // The same name and line of two files.
            if *known != link {
                *known = None;
            }
        }
        links
    }

    /// Where a place leads.
    pub fn to(&self, place: &str) -> Option<String> {
        self.0.get(place).cloned().flatten()
    }

    /// A sentence whose places lead there.
    pub fn set(&self, mut pieces: Vec<Piece>) -> Vec<Piece> {
        for piece in pieces.iter_mut().filter(|piece| piece.is_code()) {
            piece.link = self.to(&piece.text);
        }
        pieces
    }
}
