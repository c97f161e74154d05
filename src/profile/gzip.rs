//! Files of gzip's: unpacked on the way, or into a file without a name where they are read more than from front to end.

use std::io::{self, BufRead, Chain, Cursor, Read, Write};
use std::rc::Rc;

use flate2::bufread::GzDecoder;

use super::map::Map;
use super::source::Notes;

const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Whether bytes are a file of gzip's beginning.
pub(crate) fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC)
}

/// Bytes of a stream, up to so many, in a file that is gone when the map is.
pub(crate) fn into_file(stream: &mut dyn Read, bytes: u64) -> io::Result<Map> {
    let mut file = tempfile::tempfile()?;
    let length = io::copy(&mut stream.take(bytes), &mut file)?;
    file.flush()?;
    Ok(Map::of_file(file, length)?.0)
}

/// Compressed bytes, counted as they are taken.
struct Packed<R> {
    inner: R,
    notes: Rc<Notes>,
}

impl<R: BufRead> Read for Packed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.notes.unpacked.set(self.notes.unpacked.get() + length as u64);
        Ok(length)
    }
}

impl<R: BufRead> BufRead for Packed<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.notes.unpacked.set(self.notes.unpacked.get() + amount as u64);
        self.inner.consume(amount);
    }
}

/// One of the members of which a file consists, from its first two bytes on, which told that it is one.
type Member<R> = GzDecoder<Chain<Cursor<[u8; 2]>, Packed<R>>>;

/// Unpacks member by member, and notes where that came to its end. What is no further member is passed over, as gzip
/// does.
pub(crate) struct Unpacked<R> {
    /// Compressed bytes between two members.
    packed: Option<Packed<R>>,
    member: Option<Member<R>>,
    notes: Rc<Notes>,
}

impl<R: BufRead> Unpacked<R> {
    pub(crate) fn new(compressed: R, notes: &Rc<Notes>) -> Self {
        let packed = Packed { inner: compressed, notes: notes.clone() };
        Unpacked { packed: Some(packed), member: None, notes: notes.clone() }
    }

    /// The member that is open, or the next one.
    fn member(&mut self) -> io::Result<Option<&mut Member<R>>> {
        if let Some(mut packed) = self.packed.take() {
            let place = self.notes.unpacked.get();
            let mut begin = Vec::new();
            packed.by_ref().take(MAGIC.len() as u64).read_to_end(&mut begin)?;
            match is_gzip(&begin) {
                true => self.member = Some(GzDecoder::new(Cursor::new(MAGIC).chain(packed))),
                false => self.notes.trailing.set((!begin.is_empty()).then_some(place)),
            }
        }
        Ok(self.member.as_mut())
    }

    fn some(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = self.member()? {
            let length = member.read(buffer)?;
            if length > 0 || buffer.is_empty() {
                return Ok(length);
            }
            self.packed = self.member.take().map(|member| member.into_inner().into_inner().1);
        }
        Ok(0)
    }
}

impl<R: BufRead> Read for Unpacked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.some(buffer).inspect_err(|error| {
            if error.kind() != io::ErrorKind::Interrupted {
                self.notes.broken.set(Some(error.kind() == io::ErrorKind::UnexpectedEof));
            }
        })
    }
}
