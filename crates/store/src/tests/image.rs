//! The content of a disk as pages that many images share, so that a proof can have thousands of
//! them for the price of what differs.

use std::sync::Arc;

use super::event::Event;

/// Bytes that a disk writes whole, or tears.
pub(crate) const SECTOR: usize = 512;
/// Bytes that are shared or copied at once.
const PAGE: usize = 4096;
/// Own pages beyond which [`Image::settle`] makes them common property.
const OWN_MAX: usize = 16;

type Page = [u8; PAGE];

static ZEROS: Page = [0; PAGE];

/// Where a page's content is.
#[derive(Clone, Copy)]
enum Slot {
    Zero,
    Base,
    Own(usize),
}

/// The bytes of a file. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Image {
    base: Arc<Vec<Option<Arc<Page>>>>,
    slots: Vec<Slot>,
    own: Vec<Arc<Page>>,
    len: usize,
}

impl Image {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let mut image = Self::default();
        image.write(0, bytes);
        image.settle();
        image
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn to_vec(&self) -> Vec<u8> {
        self.bytes(0, self.len)
    }

    pub(crate) fn bytes(&self, at: usize, length: usize) -> Vec<u8> {
        let mut out = vec![0; length];
        assert!(self.read(at, &mut out), "beyond the end");
        out
    }

    fn page(&self, number: usize) -> &Page {
        match self.slots[number] {
            Slot::Zero => &ZEROS,
            Slot::Base => self.base[number].as_deref().unwrap_or(&ZEROS),
            Slot::Own(own) => &self.own[own],
        }
    }

    fn page_mut(&mut self, number: usize) -> &mut Page {
        let own = match self.slots[number] {
            Slot::Own(own) => own,
            _ => {
                let copy = Arc::new(*self.page(number));
                self.own.push(copy);
                self.slots[number] = Slot::Own(self.own.len() - 1);
                self.own.len() - 1
            }
        };
        Arc::make_mut(&mut self.own[own])
    }

    /// False where the image ends before.
    pub(crate) fn read(&self, at: usize, out: &mut [u8]) -> bool {
        if at + out.len() > self.len {
            return false;
        }
        let (mut at, mut rest) = (at, out);
        while !rest.is_empty() {
            let within = at % PAGE;
            let (now, later) = rest.split_at_mut(rest.len().min(PAGE - within));
            now.copy_from_slice(&self.page(at / PAGE)[within..within + now.len()]);
            at += now.len();
            rest = later;
        }
        true
    }

    /// Writes, and extends where that is beyond the end.
    pub(crate) fn write(&mut self, at: usize, data: &[u8]) {
        if self.len < at + data.len() {
            self.resize(at + data.len());
        }
        let (mut at, mut rest) = (at, data);
        while !rest.is_empty() {
            let within = at % PAGE;
            let (now, later) = rest.split_at(rest.len().min(PAGE - within));
            self.page_mut(at / PAGE)[within..within + now.len()].copy_from_slice(now);
            at += now.len();
            rest = later;
        }
    }

    /// Cuts, or extends with zeros.
    pub(crate) fn resize(&mut self, len: usize) {
        self.slots.resize(len.div_ceil(PAGE), Slot::Zero);
        if len < self.len && !len.is_multiple_of(PAGE) {
            self.page_mut(len / PAGE)[len % PAGE..].fill(0);
        }
        self.len = len;
    }

    /// Applies events in full.
    pub(crate) fn apply(&mut self, events: &[Event]) {
        for event in events {
            match event {
                Event::Write { at, data } => self.write(*at, data),
                Event::SetLen(length) => self.resize(*length),
                _ => {}
            }
        }
    }

    /// Makes later clones cheap.
    pub(crate) fn settle(&mut self) {
        if self.own.len() <= OWN_MAX {
            return;
        }
        let pages = self
            .slots
            .iter()
            .enumerate()
            .map(|(number, slot)| match slot {
                Slot::Zero => None,
                Slot::Base => self.base[number].clone(),
                Slot::Own(own) => Some(Arc::clone(&self.own[*own])),
            });
        self.base = Arc::new(pages.collect());
        self.own.clear();
        self.slots.fill(Slot::Base);
    }
}

#[test]
fn an_image_is_as_its_bytes() {
    let mut dice = super::dice::Dice::new(5);
    let (mut image, mut bytes) = (Image::default(), Vec::new());
    let mut older = Vec::new();
    for _ in 0..2000 {
        match dice.below(10) {
            0 => {
                let len = dice.below(100_000);
                image.resize(len);
                bytes.resize(len, 0);
            }
            1 => older.push((image.clone(), bytes.clone())),
            2 => image.settle(),
            _ => {
                let at = dice.below(100_000);
                let length = dice.below(9000);
                let data = dice.bytes(length);
                image.write(at, &data);
                bytes.resize(bytes.len().max(at + data.len()), 0);
                bytes[at..at + data.len()].copy_from_slice(&data);
            }
        }
        assert!(image.to_vec() == bytes);
    }
    assert!(older.iter().all(|(image, bytes)| image.to_vec() == *bytes));
}
