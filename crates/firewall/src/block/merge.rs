//! Merges prefixes into the fewest that hold the same addresses.

use std::net::IpAddr;

use firewall_api::Prefix;

/// A range of addresses of one family, as numbers: the first and the last.
pub(crate) type Range = (u128, u128);

/// The fewest prefixes, each its first address as a number and its length, in their order. `prefixes` are of one family.
pub(super) fn merge(prefixes: &[Prefix], v6: bool) -> Vec<(u128, u8)> {
    let address_bits: u8 = if v6 { 128 } else { 32 };
    let ranges = join(prefixes.iter().map(range).collect());
    let mut merged = Vec::with_capacity(ranges.len());
    for (start, last) in ranges {
        divide(start, last, address_bits, &mut merged);
    }
    merged
}

/// The first and the last address of a prefix, as numbers.
pub(crate) fn range(prefix: &Prefix) -> Range {
    let (start, address_bits) = match prefix.address() {
        IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    };
    let last = 1_u128
        .checked_shl(u32::from(address_bits - prefix.bits()))
        .map_or(u128::MAX, |size| size - 1);
    (start, start | last)
}

/// The fewest ranges of the same addresses, rising. Where two would adjoin there is one.
pub(crate) fn join(mut ranges: Vec<Range>) -> Vec<Range> {
    ranges.sort_unstable();
    ranges.dedup_by(|next, before| {
        let joins = next.0 <= before.1.saturating_add(1);
        if joins {
            before.1 = before.1.max(next.1);
        }
        joins
    });
    ranges
}

/// Divides a range into prefixes: each as wide as its start and the rest permit.
fn divide(mut start: u128, last: u128, address_bits: u8, into: &mut Vec<(u128, u8)>) {
    loop {
        let rest = last - start;
        // The largest power of two that is no more than rest + 1.
        let fits = rest
            .checked_add(1)
            .map_or(128, |count| 127 - count.leading_zeros());
        let host = start
            .trailing_zeros()
            .min(fits)
            .min(u32::from(address_bits));
        into.push((
            start,
            address_bits - u8::try_from(host).unwrap_or(address_bits),
        ));
        let size = 1_u128.checked_shl(host).unwrap_or(0);
        match start.checked_add(size) {
            Some(next) if size > 0 && next <= last => start = next,
            _ => return,
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn merged(texts: &[&str]) -> Vec<String> {
        let prefixes: Vec<Prefix> = texts.iter().map(|text| text.parse().unwrap()).collect();
        let v6 = prefixes[0].address().is_ipv6();
        let name = |(start, bits): (u128, u8)| {
            let address = if v6 {
                std::net::Ipv6Addr::from_bits(start).into()
            } else {
                std::net::Ipv4Addr::from_bits(u32::try_from(start).unwrap()).into()
            };
            Prefix::new(address, bits).unwrap().to_string()
        };
        merge(&prefixes, v6).into_iter().map(name).collect()
    }

    #[test]
    fn what_overlaps_or_adjoins_is_one() {
        assert_eq!(
            merged(&["192.0.2.0/25", "192.0.2.128/25"]),
            ["192.0.2.0/24"]
        );
        assert_eq!(
            merged(&["192.0.2.0/24", "192.0.2.7", "192.0.2.7"]),
            ["192.0.2.0/24"]
        );
        assert_eq!(
            merged(&["192.0.2.1", "192.0.2.2"]),
            ["192.0.2.1", "192.0.2.2"]
        );
        assert_eq!(merged(&["192.0.2.3", "192.0.2.2"]), ["192.0.2.2/31"]);
        assert_eq!(merged(&["0.0.0.0/1", "128.0.0.0/1"]), ["0.0.0.0/0"]);
        assert_eq!(merged(&["::/1", "8000::/1"]), ["::/0"]);
        assert_eq!(
            merged(&["ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"]).len(),
            1
        );
        assert_eq!(merged(&["255.255.255.255"]), ["255.255.255.255"]);
    }
}
