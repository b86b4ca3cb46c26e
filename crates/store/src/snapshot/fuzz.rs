//! Hostile streams for `fuzz/`: as they come, and with hashes that fit, behind which nothing else
//! would get. Built for fuzzing alone.

use super::fault::Fault;
use super::format::{
    ADDRESS_BYTES, BLOCK_BYTES, CHUNK_BYTES_MAX, HEADER_BYTES, MAGIC, VERSION, header_hash,
    is_in_pool, next_hash,
};
use super::parser::{Item, Parser};

/// Blocks of a made-up chunk at most.
const BLOCKS: usize = 3;

/// Reads `data` as a stream, and as what a stream is made of.
pub(crate) fn stream(data: &[u8]) {
    read(data);
    read(&fitted(data));
}

fn read(stream: &[u8]) {
    let mut parser = Parser::new();
    let mut blocks = 0_u64;
    let middle = stream.len() / 2;
    for piece in [&stream[..middle], &stream[middle..]] {
        let pushed = parser.push::<Fault>(piece, &mut |item| {
            if let Item::Block { address, .. } = item {
                assert!(is_in_pool(address), "a block outside the pool");
                blocks += 1;
            }
            Ok(())
        });
        assert!(parser.held() <= CHUNK_BYTES_MAX, "too much in memory");
        if pushed.is_err() {
            assert!(parser.finish().is_err(), "a refusal was forgotten");
            return;
        }
    }
    if let Ok(totals) = parser.finish() {
        assert_eq!(totals.blocks, blocks, "blocks lost");
    }
}

/// A header that begins with the first 62 bytes; then for each 8 a chunk with that address, or a
/// trailer where its first byte is zero.
fn fitted(data: &[u8]) -> Vec<u8> {
    let (head, rest) = data.split_at(data.len().min(62));
    let mut out = [MAGIC.as_slice(), &VERSION.to_le_bytes(), head].concat();
    out.resize(HEADER_BYTES, 0);
    let mut hash = header_hash(&out);
    out.extend(hash);
    for word in rest.as_chunks::<ADDRESS_BYTES>().0.iter().take(64) {
        let part = match word {
            [0, chunks, blocks, ..] => {
                let totals = [u64::from(*chunks), u64::from(*blocks)].map(u64::to_le_bytes);
                [&[0; 4], totals.as_flattened()].concat()
            }
            [first, ..] => {
                let blocks = 1 + usize::from(*first) % BLOCKS;
                let count = [u8::try_from(blocks).unwrap_or_default(), 0, 0, 0];
                [
                    count.as_slice(),
                    &word.repeat(blocks),
                    &vec![7; blocks * BLOCK_BYTES],
                ]
                .concat()
            }
        };
        hash = next_hash(&hash, &[&part]);
        out.extend(part);
        out.extend(hash);
    }
    out
}
