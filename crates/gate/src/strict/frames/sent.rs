//! Pure: finds in what h2 sends where it says with which error it ends the connection.

use super::head::{GOAWAY, HEAD_BYTES, Head};

/// Where in the payload of GOAWAY the last byte of its code is (RFC 9113, section 6.8). Codes need no more than this one.
const CODE_BYTE: usize = 7;

/// How far bytes that are sent were followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Followed {
    /// How many of them.
    pub bytes: usize,
    /// What the last of those is, where it is the code of a GOAWAY.
    pub code: Option<u8>,
}

/// The frames that h2 sends.
#[derive(Debug, Clone, Default)]
pub struct Sent {
    head: [u8; HEAD_BYTES],
    /// So many bytes of `head`.
    had: usize,
    /// Payload to come, in bytes.
    left: usize,
    /// Payload to come before the code of a GOAWAY, in bytes.
    before_code: Option<usize>,
}

impl Sent {
    /// Follows bytes that are sent, to the first code of a GOAWAY or to their end.
    pub fn follow(&mut self, bytes: &[u8]) -> Followed {
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            if self.left > 0 {
                let most = rest.len().min(self.left);
                if let Some(before) = self.before_code {
                    if before < most {
                        self.before_code = None;
                        self.left -= before + 1;
                        let code = rest[before];
                        return Followed {
                            bytes: at + before + 1,
                            code: Some(code),
                        };
                    }
                    self.before_code = Some(before - most);
                }
                self.left -= most;
                at += most;
                continue;
            }
            let taken = rest.len().min(HEAD_BYTES - self.had);
            self.head[self.had..self.had + taken].copy_from_slice(&rest[..taken]);
            self.had += taken;
            at += taken;
            if self.had == HEAD_BYTES {
                let head = Head::read(&self.head);
                self.had = 0;
                self.left = head.length;
                self.before_code = (head.kind == GOAWAY).then_some(CODE_BYTE);
            }
        }
        Followed {
            bytes: at,
            code: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_found_however_the_bytes_are_split() {
        let mut bytes = vec![0, 0, 3, 0, 0, 0, 0, 0, 1, 7, 7, 7];
        for code in [5, 9] {
            bytes.extend([
                0, 0, 10, GOAWAY, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, code, b'a', b'b',
            ]);
            bytes.extend([0, 0, 0, 4, 1, 0, 0, 0, 0]);
        }
        for size in 1..=bytes.len() {
            let mut sent = Sent::default();
            let mut codes = Vec::new();
            for mut piece in bytes.chunks(size) {
                while !piece.is_empty() {
                    let followed = sent.follow(piece);
                    if let Some(code) = followed.code {
                        assert_eq!(code, piece[followed.bytes - 1]);
                        codes.push(code);
                    }
                    piece = &piece[followed.bytes..];
                }
            }
            assert_eq!(codes, [5, 9], "pieces of {size}");
        }
    }
}
