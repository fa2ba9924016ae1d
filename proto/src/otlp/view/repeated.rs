//! Repeated fields: elements that are parsed while iterating, and packed or unpacked numbers.

use std::marker::PhantomData;

use super::View;
use super::wire::{Fault, Field, Fields, Malformed, Message};

/// Pieces into which a sender may cut one message before it is refused: bounds the memory of a view.
pub(super) const MAX_PIECES: usize = 1024;

/// The elements of a repeated message field, in the order sent.
///
/// Holds the stretch of the enclosing message between the first and the last element. Where that
/// message was sent in pieces, the earlier stretches are kept in a box, which no known sender needs.
#[derive(Clone, Debug)]
pub struct Repeated<'a, T> {
    stretches: Stretches<'a>,
    element: PhantomData<fn() -> T>,
}

#[derive(Clone, Debug, Default)]
struct Stretches<'a> {
    earlier: Option<Box<Earlier<'a>>>,
    last: Message<'a>,
    field: u32,
    count: u32,
}

/// Boxed to make every view 16 bytes smaller: it is next to never there.
#[derive(Clone, Debug, Default)]
struct Earlier<'a>(Vec<Message<'a>>);

impl<'a> Stretches<'a> {
    /// Adds `count` elements in `field`, which is a field of `message`.
    #[inline(always)]
    fn add(&mut self, message: Message<'a>, field: &Field<'a>, count: usize) -> Result<(), Malformed> {
        if self.field == 0 {
            self.field = field.number;
            self.last = message.slice(field.start, field.end);
        } else if self.last.offset() >= message.offset() {
            // Pieces come in the order of their offsets: the stretch began in this very message.
            self.last = message.slice(self.last.offset(), field.end);
        } else {
            self.begin_piece(message, field)?;
        }
        // A request has fewer than 2^32 elements: admission bounds it far below 4 GiB.
        self.count = self.count.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
        Ok(())
    }

    #[cold]
    fn begin_piece(&mut self, message: Message<'a>, field: &Field<'a>) -> Result<(), Malformed> {
        let Earlier(earlier) = &mut **self.earlier.get_or_insert_default();
        if earlier.len() + 1 >= MAX_PIECES {
            return Err(Malformed { offset: field.start, fault: Fault::ManyPieces });
        }
        earlier.push(self.last);
        self.last = message.slice(field.start, field.end);
        Ok(())
    }

    #[inline]
    fn walk(&self) -> Walk<'_, 'a> {
        let earlier = self.earlier.as_deref().map_or(&[][..], |Earlier(earlier)| earlier);
        let (first, later, last) = match earlier {
            [first, later @ ..] => (*first, later, Some(self.last)),
            [] => (self.last, earlier, None),
        };
        Walk { fields: first.fields(), later: later.iter(), last, number: self.field }
    }
}

/// The fields of one number in all stretches.
#[derive(Clone)]
struct Walk<'s, 'a> {
    fields: Fields<'a>,
    later: std::slice::Iter<'s, Message<'a>>,
    last: Option<Message<'a>>,
    number: u32,
}

impl<'a> Walk<'_, 'a> {
    #[inline(always)]
    fn next(&mut self) -> Option<Field<'a>> {
        loop {
            match self.fields.next() {
                Ok(Some(field)) if field.number == self.number => return Some(field),
                Ok(Some(_)) => {}
                // A stretch has been walked once when its view was made, so `Err` cannot occur.
                Ok(None) | Err(_) => self.fields = self.later.next().copied().or_else(|| self.last.take())?.fields(),
            }
        }
    }
}

impl<'a, T: View<'a>> Repeated<'a, T> {
    /// Number of elements sent, broken ones included.
    pub fn len(&self) -> usize {
        self.stretches.count as usize
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.stretches.count == 0
    }

    /// The elements; a broken one is an `Err` and the next is read as usual.
    #[inline]
    pub fn iter(&self) -> Elements<'_, 'a, T> {
        Elements { walk: self.stretches.walk(), left: self.len(), element: PhantomData }
    }

    #[inline(always)]
    pub(super) fn add(&mut self, message: Message<'a>, field: &Field<'a>) -> Result<(), Malformed> {
        field.message()?;
        self.stretches.add(message, field, 1)
    }

    /// As [`Self::add`], with all elements that follow in `fields`.
    #[inline(always)]
    pub(super) fn add_run(
        &mut self,
        message: Message<'a>,
        field: &Field<'a>,
        fields: &mut Fields<'a>,
    ) -> Result<(), Malformed> {
        field.message()?;
        let (run, count) = fields.run(field);
        self.stretches.add(message, &run, count)
    }
}

impl<T> Default for Repeated<'_, T> {
    fn default() -> Self {
        Self { stretches: Stretches::default(), element: PhantomData }
    }
}

impl<'s, 'a, T: View<'a>> IntoIterator for &'s Repeated<'a, T> {
    type Item = Result<T, Malformed>;
    type IntoIter = Elements<'s, 'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Iterator over a [`Repeated`].
#[derive(Clone)]
pub struct Elements<'s, 'a, T> {
    walk: Walk<'s, 'a>,
    left: usize,
    element: PhantomData<fn() -> T>,
}

impl<'a, T> Elements<'_, 'a, T> {
    /// The next element unread, for a reader that merges it into a view of its own: large views cost much to
    /// hand over.
    #[inline(always)]
    pub fn next_message(&mut self) -> Option<Result<Message<'a>, Malformed>> {
        self.left = self.left.checked_sub(1)?;
        match self.walk.fields.next_short(self.walk.number) {
            Some(message) => Some(Ok(message)),
            None => self.any_message(),
        }
    }

    #[inline(never)]
    fn any_message(&mut self) -> Option<Result<Message<'a>, Malformed>> {
        self.walk.next().map(|field| field.message())
    }
}

impl<'a, T: View<'a>> Iterator for Elements<'_, 'a, T> {
    type Item = Result<T, Malformed>;

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        match self.next_message()? {
            Ok(message) => Some(T::parse(message)),
            Err(malformed) => Some(Err(malformed)),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<'a, T: View<'a>> ExactSizeIterator for Elements<'_, 'a, T> {}

/// A number that a repeated field can hold.
pub trait Scalar: Copy + Default + std::fmt::Debug {
    /// Bytes of a fixed-width encoding; `None` for a varint.
    #[doc(hidden)]
    const WIDTH: Option<usize>;
    #[doc(hidden)]
    fn from_raw(raw: u64) -> Self;
}

/// `uint64`: a varint.
impl Scalar for u64 {
    const WIDTH: Option<usize> = None;
    fn from_raw(raw: u64) -> Self {
        raw
    }
}

/// `double`.
impl Scalar for f64 {
    const WIDTH: Option<usize> = Some(8);
    fn from_raw(raw: u64) -> Self {
        Self::from_bits(raw)
    }
}

/// `fixed64`, told from the varint `u64` by its type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fixed64(pub u64);

impl Scalar for Fixed64 {
    const WIDTH: Option<usize> = Some(8);
    fn from_raw(raw: u64) -> Self {
        Self(raw)
    }
}

/// The elements of a repeated number, packed or not, in the order sent.
#[derive(Clone, Debug)]
pub struct Numbers<'a, T> {
    stretches: Stretches<'a>,
    element: PhantomData<fn() -> T>,
}

impl<'a, T: Scalar> Numbers<'a, T> {
    pub fn len(&self) -> usize {
        self.stretches.count as usize
    }

    pub fn is_empty(&self) -> bool {
        self.stretches.count == 0
    }

    pub fn iter(&self) -> Values<'_, 'a, T> {
        Values {
            walk: self.stretches.walk(),
            packed: Message::default().fields(),
            left: self.len(),
            element: PhantomData,
        }
    }

    pub(super) fn add(&mut self, message: Message<'a>, field: &Field<'a>) -> Result<(), Malformed> {
        let count = match (field.packed(), T::WIDTH) {
            (Some(packed), Some(width)) if packed.bytes().len() % width != 0 => {
                return Err(Malformed { offset: field.start, fault: Fault::PackedLength { field: field.number } });
            }
            (Some(packed), Some(width)) => packed.bytes().len() / width,
            (Some(packed), None) => {
                let mut varints = packed.fields();
                let mut count = 0;
                while varints.next_varint()?.is_some() {
                    count += 1;
                }
                count
            }
            (None, _) => {
                single::<T>(field)?;
                1
            }
        };
        self.stretches.add(message, field, count)
    }
}

fn single<T: Scalar>(field: &Field<'_>) -> Result<T, Malformed> {
    Ok(T::from_raw(if T::WIDTH.is_some() { field.fixed64()? } else { field.varint()? }))
}

impl<T> Default for Numbers<'_, T> {
    fn default() -> Self {
        Self { stretches: Stretches::default(), element: PhantomData }
    }
}

impl<'s, 'a, T: Scalar> IntoIterator for &'s Numbers<'a, T> {
    type Item = T;
    type IntoIter = Values<'s, 'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Iterator over [`Numbers`].
#[derive(Clone)]
pub struct Values<'s, 'a, T> {
    walk: Walk<'s, 'a>,
    packed: Fields<'a>,
    left: usize,
    element: PhantomData<fn() -> T>,
}

impl<T: Scalar> Iterator for Values<'_, '_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        // `left` and `ok()?` are checked already: the bytes were walked when the view was made.
        self.left = self.left.checked_sub(1)?;
        loop {
            let next = if T::WIDTH.is_some() { self.packed.next_fixed64() } else { self.packed.next_varint() };
            if let Some(raw) = next.ok()? {
                return Some(T::from_raw(raw));
            }
            let field = self.walk.next()?;
            match field.packed() {
                Some(packed) => self.packed = packed.fields(),
                None => return single(&field).ok(),
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<T: Scalar> ExactSizeIterator for Values<'_, '_, T> {}
