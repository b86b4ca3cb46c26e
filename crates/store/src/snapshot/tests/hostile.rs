//! Streams that are made up, or put together in another order.

use super::super::format::CHUNK_BYTES_MAX;
use super::super::{BLOCK_BYTES, CHUNK_BLOCKS_MAX, DIGEST_BYTES, Fault, HEADER_BYTES};
use super::{Fake, fault, made_up, summed};
use crate::layout::POOL_AT;

#[test]
fn what_fits_its_hashes_and_cannot_be_is_refused() {
    let one = 1_u32.to_le_bytes();
    let chunk = |address: u64| [one.as_slice(), &address.to_le_bytes(), &[0; BLOCK_BYTES]].concat();
    let totals = |chunks: u64, blocks: u64| {
        [
            [0; 4].as_slice(),
            &chunks.to_le_bytes(),
            &blocks.to_le_bytes(),
        ]
        .concat()
    };
    let good = made_up(|_| (), &[chunk(POOL_AT), totals(1, 1)]);
    assert_eq!(summed(&good).unwrap().totals.blocks, 1);
    let wrong = [
        made_up(|_| (), &[chunk(POOL_AT - 1), totals(1, 1)]),
        made_up(|_| (), &[chunk(0), totals(1, 1)]),
        made_up(|_| (), &[chunk(1 << 48), totals(1, 1)]),
        made_up(|_| (), &[chunk(u64::MAX), totals(1, 1)]),
        made_up(|_| (), &[chunk(POOL_AT), totals(1, 2)]),
        made_up(|_| (), &[chunk(POOL_AT), totals(2, 1)]),
        made_up(|header| header[10] = 1, &[totals(0, 0)]),
        made_up(|header| header[15] = 1, &[totals(0, 0)]),
        made_up(|header| header[48] = 0, &[totals(0, 0)]),
        made_up(|header| header[64] = 2, &[totals(0, 0)]),
    ];
    for bytes in wrong {
        let fault = fault(summed(&bytes).unwrap_err());
        assert!(matches!(fault, Fault::Impossible(_)), "{fault}");
    }
    let newer = made_up(|header| header[8] = 2, &[totals(0, 0)]);
    assert!(matches!(
        fault(summed(&newer).unwrap_err()),
        Fault::Unsupported { version: 2 }
    ));
    let twice = [good.clone(), good.clone()].concat();
    let ends = good.len() as u64;
    assert!(matches!(
        fault(summed(&twice).unwrap_err()),
        Fault::Trailing { bytes } if bytes == ends
    ));
    // A count over the limit makes nobody wait for it, or reserve memory.
    let many = u32::try_from(CHUNK_BLOCKS_MAX + 1).unwrap().to_le_bytes();
    let huge = [made_up(|_| (), &[]), many.to_vec()].concat();
    assert!(matches!(
        fault(summed(&huge).unwrap_err()),
        Fault::Damaged { from, length: 4 } if from == (HEADER_BYTES + DIGEST_BYTES) as u64
    ));
}

#[test]
fn chunks_cannot_change_places() {
    let mut fake = Fake::default();
    fake.commit(&(0..600).map(|block| (block, 3)).collect::<Vec<_>>());
    let bytes = fake.taken(None);
    let (head, rest) = bytes.split_at(HEADER_BYTES + DIGEST_BYTES);
    let (first, rest) = rest.split_at(CHUNK_BYTES_MAX);
    let (second, rest) = rest.split_at(CHUNK_BYTES_MAX);
    summed(&[head, first, second, rest].concat()).unwrap();
    for changed in [
        [head, second, first, rest].concat(),
        [head, first, first, rest].concat(),
        [head, first, rest].concat(),
    ] {
        assert!(matches!(
            fault(summed(&changed).unwrap_err()),
            Fault::Damaged { .. }
        ));
    }
}
