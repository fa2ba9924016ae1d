//! The names of several segments in one list.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::{ChunksWriter, MOST_BYTES, MOST_OF_GROUP, Names, group, next};
use crate::scan::ReadError;
use crate::segment::blob::Blob;

/// Appends every name once. A group keeps its first names as far as there is room, and what is cut stays cut.
pub(in crate::segment::index) fn join(sources: &[(&Blob, &Names)], out: &mut Vec<u8>) -> Result<(), ReadError> {
    let bytes = sources.iter().map(|(blob, names)| names.bytes(blob)).collect::<Result<Vec<_>, _>>()?;
    let mut cursors: Vec<_> =
        sources.iter().zip(&bytes).map(|((blob, _), bytes)| Cursor { blob, rest: bytes, name: Vec::new() }).collect();
    let mut heads = cursors.iter_mut().map(Cursor::advance).collect::<Result<Vec<_>, _>>()?;
    let mut cut: BTreeSet<Vec<u8>> = sources.iter().flat_map(|(_, names)| &names.cut).cloned().collect();
    let mut chunks = ChunksWriter::new(out);
    let (mut begun, mut of_group, mut total) = (Vec::new(), 0, 0);
    loop {
        let open = heads.iter().zip(&cursors).filter(|(head, _)| **head).map(|(_, cursor)| &cursor.name);
        let Some(name) = open.min().cloned() else { break };
        for (head, cursor) in heads.iter_mut().zip(&mut cursors) {
            if *head && cursor.name == name {
                *head = cursor.advance()?;
            }
        }
        if begun != group(&name) {
            (begun, of_group) = (group(&name).to_vec(), 0);
        }
        if of_group == MOST_OF_GROUP || total > MOST_BYTES {
            cut.insert(begun.clone());
            continue;
        }
        (of_group, total) = (of_group + 1, total + name.len());
        chunks.push(&name);
    }
    chunks.finish(&Vec::from_iter(cut));
    Ok(())
}

impl Names {
    /// All chunks.
    fn bytes(&self, blob: &Blob) -> Result<Bytes, ReadError> {
        blob.read(self.chunks.first().map_or(self.end, |(_, from)| *from)..self.end)
    }
}

/// Goes through the names of one source: a chunk's first name shares nothing with the one before.
struct Cursor<'a> {
    blob: &'a Blob,
    rest: &'a [u8],
    name: Vec<u8>,
}

impl Cursor<'_> {
    /// False after the last.
    fn advance(&mut self) -> Result<bool, ReadError> {
        if self.rest.is_empty() {
            return Ok(false);
        }
        next(&mut self.rest, &mut self.name)
            .map(|()| true)
            .ok_or_else(|| self.blob.damaged("a chunk of names ends early"))
    }
}
