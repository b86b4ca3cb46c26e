//! Pure: walks through blocks of headers without decoding them (RFC 7541): whether they can be decoded at all, and whether
//! a pseudo-header is among them. Text is stepped over. What it passes can still be wrong within Huffman's code, or name
//! an entry of the table that had to make room; h2 ends the connection then, by its own code.

use super::{Fault, TABLE_BYTES};

/// Entries of the table that never changes (RFC 7541, appendix A).
const STATIC: u32 = 61;

/// The last of those that name a pseudo-header.
const STATIC_PSEUDO: u32 = 14;

/// What an entry takes of the table beside its text, in bytes (RFC 7541, section 4.1).
const ENTRY_BYTES: u32 = 32;

/// Entries that the table that grows can have.
const ENTRIES: u32 = TABLE_BYTES / ENTRY_BYTES;

/// Bits of a number behind its first byte. Longer ones overflow h2, too; no length or index needs them.
const NUMBER_BITS: u32 = 28;

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Number {
    /// An entry of a table: name and value.
    #[default]
    Entry,
    /// An entry of a table: the name. Whether name and value become an entry.
    Name { added: bool },
    /// The table's new size, in bytes.
    Size,
    /// The length of a text, in bytes.
    Length { is_huffman: bool },
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Step {
    #[default]
    Field,
    /// In a number, so much of it so far and so many bits.
    Number(Number, u32, u32),
    /// Before the length of a text.
    Text,
    /// Before a text of so many bytes, of which the first tells whether it names a pseudo-header.
    First(usize, bool),
    /// In a text with so many bytes to come.
    Rest(usize),
}

/// All blocks of a connection, one after another.
#[derive(Debug, Default)]
pub(super) struct Block {
    step: Step,
    /// Whether there was a field in this block.
    begun: bool,
    /// Whether there was a pseudo-header in this block.
    pseudo: bool,
    /// Texts to come of this field.
    texts: u8,
    /// Whether this field becomes an entry.
    is_added: bool,
    /// Whether this field is a pseudo-header.
    is_pseudo: bool,
    /// The most entries that there can be in the table that grows, in entries.
    entries: u32,
    /// Whether the entry is a pseudo-header that was added that many entries ago.
    pseudos: u128,
}

const _: () = assert!(ENTRIES <= u128::BITS, "an entry needs its bit");

impl Block {
    /// Reads on in a block.
    pub(super) fn read(&mut self, mut bytes: &[u8]) -> Result<(), Fault> {
        while let [first, behind @ ..] = bytes {
            match self.step {
                Step::Rest(left) => {
                    let piece = bytes.len().min(left);
                    bytes = &bytes[piece..];
                    self.text(left - piece);
                    continue;
                }
                Step::Field => self.field(*first)?,
                Step::Number(number, value, bits) => {
                    let value = value + (u32::from(*first & 0x7f) << bits);
                    let bits = bits + 7;
                    if *first < 0x80 {
                        self.number(number, value)?;
                    } else if bits >= NUMBER_BITS {
                        return Err(Fault::Compression);
                    } else {
                        self.step = Step::Number(number, value, bits);
                    }
                }
                Step::Text => {
                    let is_huffman = *first & 0x80 != 0;
                    self.prefixed(Number::Length { is_huffman }, *first, 7)?;
                }
                Step::First(length, is_huffman) => {
                    // A colon, which is 1011100 in Huffman's code (RFC 7541, appendix B).
                    self.is_pseudo = if is_huffman {
                        *first & 0xfe == 0xb8
                    } else {
                        *first == b':'
                    };
                    self.text(length - 1);
                }
            }
            bytes = behind;
        }
        Ok(())
    }

    /// The block is over: whether there was a pseudo-header in it.
    pub(super) fn end(&mut self) -> Result<bool, Fault> {
        if self.step != Step::Field {
            return Err(Fault::Compression);
        }
        self.begun = false;
        Ok(std::mem::take(&mut self.pseudo))
    }

    /// The first byte of a field, or of the table's new size (RFC 7541, section 6).
    fn field(&mut self, first: u8) -> Result<(), Fault> {
        (self.is_added, self.is_pseudo) = (false, false);
        match first {
            0x80.. => self.prefixed(Number::Entry, first, 7),
            0x40.. => self.prefixed(Number::Name { added: true }, first, 6),
            0x20.. => self.prefixed(Number::Size, first, 5),
            _ => self.prefixed(Number::Name { added: false }, first, 4),
        }
    }

    /// A number that begins with the last `bits` of a byte (RFC 7541, section 5.1).
    fn prefixed(&mut self, number: Number, first: u8, bits: u8) -> Result<(), Fault> {
        let most = u8::MAX >> (8 - bits);
        let value = u32::from(first & most);
        if value < u32::from(most) {
            return self.number(number, value);
        }
        self.step = Step::Number(number, value, 0);
        Ok(())
    }

    fn number(&mut self, number: Number, value: u32) -> Result<(), Fault> {
        match number {
            Number::Size => {
                if self.begun || value > TABLE_BYTES {
                    return Err(Fault::Compression);
                }
                self.entries = self.entries.min(value / ENTRY_BYTES);
                self.step = Step::Field;
                return Ok(());
            }
            Number::Entry => {
                self.is_pseudo = self.names_pseudo(value)?;
                self.whole();
            }
            Number::Name { added } => {
                self.is_added = added;
                self.texts = if value == 0 {
                    2
                } else {
                    self.is_pseudo = self.names_pseudo(value)?;
                    1
                };
                self.step = Step::Text;
            }
            Number::Length { is_huffman } if self.texts == 2 && value > 0 => {
                self.step = Step::First(value as usize, is_huffman);
            }
            Number::Length { .. } => self.text(value as usize),
        }
        self.begun = true;
        Ok(())
    }

    /// Whether an entry of a table is a pseudo-header.
    const fn names_pseudo(&self, entry: u32) -> Result<bool, Fault> {
        match entry {
            0 => Err(Fault::Compression),
            1..=STATIC => Ok(entry <= STATIC_PSEUDO),
            _ => {
                let ago = entry - STATIC - 1;
                if ago < self.entries {
                    Ok(self.pseudos >> ago & 1 == 1)
                } else {
                    Err(Fault::Compression)
                }
            }
        }
    }

    /// Of a text so many bytes are to come.
    const fn text(&mut self, left: usize) {
        if left > 0 {
            self.step = Step::Rest(left);
            return;
        }
        self.texts -= 1;
        if self.texts > 0 {
            self.step = Step::Text;
        } else {
            self.whole();
        }
    }

    /// A field is whole.
    const fn whole(&mut self) {
        self.pseudo |= self.is_pseudo;
        if self.is_added {
            self.pseudos = self.pseudos << 1 | self.is_pseudo as u128;
            if self.entries < ENTRIES {
                self.entries += 1;
            }
        }
        self.step = Step::Field;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of blocks one after another.
    fn walk(blocks: &[&[u8]]) -> Vec<Result<bool, Fault>> {
        let mut walked = Block::default();
        let walk = |block: &&[u8]| walked.read(block).and_then(|()| walked.end());
        blocks.iter().map(walk).collect()
    }

    #[test]
    fn blocks_that_cannot_be_decoded_are_told() {
        for block in [
            &[0x40][..],                                 // No name.
            &[0x40, 0x01, b'a'],                         // No value.
            &[0x41, 0x02, b'a'],                         // A value that is cut off.
            &[0x80],                                     // Entry 0.
            &[0xbe],                                     // An entry of an empty table.
            &[0xff, 0x00],                               // The same, by a longer number.
            &[0x82, 0x20],                               // A size behind a field.
            &[0x3f, 0xe2, 0x1f],                         // A size of 4097.
            &[0xff, 0x80, 0x80, 0x80, 0x80, 0x00],       // A number without end.
            &[0x00, 0x7f, 0xff, 0xff, 0xff, 0xff, 0x7f], // A text without end.
        ] {
            assert_eq!(walk(&[block]), [Err(Fault::Compression)], "{block:x?}");
        }
        // What the table held is gone once it was made smaller.
        let added = [0x40, 0x01, b'a', 0x01, b'b'];
        assert_eq!(walk(&[&added, &[0xbe]]), [Ok(false), Ok(false)]);
        let told = walk(&[&added, &[0x20, 0xbe]]);
        assert_eq!(told, [Ok(false), Err(Fault::Compression)]);
    }

    #[test]
    fn pseudo_headers_are_told_however_they_are_written() {
        for (block, pseudo) in [
            (&[][..], false),
            (&[0x20, 0x3f, 0xe1, 0x1f], false), // A size of 0, then of 4096.
            (&[0x83], true),                    // :method: POST
            (&[0x8f], false),                   // accept-charset
            (&[0x04, 0x01, b'/'], true),        // :path
            (&[0x00, 0x02, b':', b'a', 0x00], true), // By text.
            (&[0x00, 0x02, b'a', b':', 0x00], false),
            (&[0x00, 0x82, 0xb9, 0x4f, 0x00], true), // In Huffman's code.
            (&[0x00, 0x82, 0x1c, 0x2f, 0x00], false),
            (&[0x00, 0x00, 0x01, b':'], false), // No name, and a value.
        ] {
            assert_eq!(walk(&[block]), [Ok(pseudo)], "{block:x?}");
        }
        // By the table: the last entry is 62.
        let authority = [0x41, 0x01, b'a'];
        let other = [0x40, 0x01, b'a', 0x01, b'b'];
        let told = walk(&[&authority, &other, &[0xbe], &[0xbf], &[0x7e, 0x00], &[0xc0]]);
        let expected = [true, false, false, true, false, true].map(Ok);
        assert_eq!(told, expected);
    }
}
