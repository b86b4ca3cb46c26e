//! Reads a list's file, however long it is, in little memory.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _, Write as _};
use std::path::Path;

use firewall_api::limits::LINE_BYTES;

use crate::blocks::{Form, crowdsec, plain, prefix};
use crate::prefix::Prefix;

/// Longest file in bytes (256 MiB).
const FILE_BYTES: u64 = 256 << 20;

/// Bytes of one piece that goes to the firewall.
const PIECE_BYTES: usize = 64 * 1024;

/// Longest line in bytes. A longer one is no entry.
const TEXT_BYTES: usize = 4096;

/// Whether an error of reading may pass by itself, as too many open files do, and a malformed file does not.
pub(super) fn is_passing(error: &io::Error) -> bool {
    error.raw_os_error().is_some()
}

/// Hands over each entry as it is written, until `each` wants no more; none for one that is too long to be read.
///
/// # Errors
/// Where the file cannot be read, or is no list.
pub(super) fn entries(
    path: &Path,
    form: Form,
    mut each: impl FnMut(Option<&str>) -> bool,
) -> io::Result<()> {
    let file = File::open(path)?;
    if file.metadata()?.len() > FILE_BYTES {
        let told = format!("it is longer than {FILE_BYTES} bytes");
        return Err(io::Error::other(told));
    }
    let file = file.take(FILE_BYTES);
    if form == Form::Json {
        // Keeps what the system said, where it was that.
        return crowdsec::json(file, |entry| each(Some(entry))).map_err(io::Error::from);
    }
    let mut from = BufReader::with_capacity(PIECE_BYTES, file);
    let mut line = Vec::new();
    let mut columns = None;
    while let Some(whole) = read_line(&mut from, &mut line)? {
        let text = String::from_utf8_lossy(&line);
        let entry = match (form, &columns) {
            (Form::Csv, None) => {
                let head = crowdsec::Columns::read(&text).filter(|_| whole);
                let none = "its first line names no column `value` or `ip`";
                columns = Some(head.ok_or_else(|| io::Error::other(none))?);
                continue;
            }
            (Form::Csv, Some(columns)) => columns.entry(&text),
            _ => plain::entry(&text),
        };
        // Of a line without its end, what is before the end may be half of an address.
        if entry.is_some_and(|entry| !each(whole.then_some(entry))) {
            break;
        }
    }
    Ok(())
}

/// Reads a line, or its first [`TEXT_BYTES`] bytes; says whether that is all of it. None at the end.
fn read_line(from: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Option<bool>> {
    line.clear();
    let (mut any, mut whole) = (false, true);
    loop {
        let bytes = from.fill_buf()?;
        if bytes.is_empty() {
            return Ok(any.then_some(whole));
        }
        any = true;
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let part = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
        let room = TEXT_BYTES - line.len();
        whole &= part.len() <= room;
        line.extend(part.iter().take(room));
        let used = part.len() + usize::from(end.is_some());
        from.consume(used);
        if end.is_some() {
            return Ok(Some(whole));
        }
    }
}

/// Sends a file's prefixes on in pieces, one a line, but for those that `may` not be. Gives how many entries were left
/// out.
///
/// # Errors
/// As [`entries`].
pub(super) fn pieces(
    path: &Path,
    form: Form,
    may: impl Fn(Prefix) -> bool,
    mut send: impl FnMut(Vec<u8>) -> bool,
) -> io::Result<u64> {
    let (mut piece, mut left_out) = (Vec::with_capacity(PIECE_BYTES), 0);
    entries(path, form, |entry| {
        match entry.and_then(prefix) {
            Some(prefix) if may(prefix) => {
                // Into memory, which does not fail.
                let _ = writeln!(piece, "{prefix}");
            }
            _ => left_out += 1,
        }
        if piece.len() >= PIECE_BYTES - LINE_BYTES {
            let full = std::mem::replace(&mut piece, Vec::with_capacity(PIECE_BYTES));
            return send(full);
        }
        true
    })?;
    if !piece.is_empty() {
        send(piece);
    }
    Ok(left_out)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_list_is_read_in_pieces_without_those_that_are_never_banned() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("long.txt");
        let lines: Vec<_> = (0..20_000_u32)
            .map(|number| {
                Prefix::host(std::net::IpAddr::V4((0xcb00_0000 + number).into())).to_string()
            })
            .collect();
        std::fs::write(&path, format!("# a list\n{}\nnonsense\n", lines.join("\n"))).unwrap();
        let mut sent = String::new();
        let never: Prefix = Prefix::host([203, 0, 0, 7].into());
        let left_out = pieces(
            &path,
            Form::Plain,
            |prefix| prefix != never,
            |piece| {
                assert!(piece.len() <= PIECE_BYTES);
                sent.push_str(&String::from_utf8(piece).unwrap());
                true
            },
        );
        assert_eq!(left_out.unwrap(), 2);
        assert_eq!(sent.lines().count(), 19_999);
        assert!(!sent.contains("203.0.0.7/32\n"));
    }

    #[test]
    fn a_line_too_long_is_no_entry_and_takes_no_memory() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("long.txt");
        let long = " ".repeat(TEXT_BYTES - 10);
        let text = format!(
            "# {}\n{long}203.0.113.77\n203.0.113.8\n",
            "x".repeat(1 << 20)
        );
        std::fs::write(&path, text).unwrap();
        let mut found = Vec::new();
        entries(&path, Form::Plain, |entry| {
            found.push(entry.map(str::to_owned));
            true
        })
        .unwrap();
        assert_eq!(found, [None, Some("203.0.113.8".to_owned())]);
    }

    #[test]
    fn what_may_pass_is_told_from_what_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        let read = |path: &Path, form| entries(path, form, |_| true).unwrap_err();
        assert!(is_passing(&read(&path, Form::Json)));
        std::fs::write(&path, "[").unwrap();
        assert!(!is_passing(&read(&path, Form::Json)));
        std::fs::write(&path, "a,b\n").unwrap();
        assert!(!is_passing(&read(&path, Form::Csv)));
    }

    proptest! {
        #[test]
        fn lines_are_those_of_the_text(text in proptest::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..600), buffer in 1_usize..64) {
            let mut from = BufReader::with_capacity(buffer, &text[..]);
            let (mut line, mut lines) = (Vec::new(), Vec::new());
            while let Some(whole) = read_line(&mut from, &mut line).unwrap() {
                prop_assert!(whole);
                lines.push(line.clone());
            }
            let mut expected: Vec<_> = text.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
            if expected.last().is_some_and(Vec::is_empty) {
                expected.pop();
            }
            prop_assert_eq!(lines, expected);
        }
    }
}
