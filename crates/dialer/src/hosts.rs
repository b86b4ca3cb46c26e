//! Pure: reads the text of hosts(5).

use std::net::IpAddr;

/// The addresses that a hosts file gives to a name, in its order. Lines that
/// cannot be read count for nothing, as everywhere.
#[must_use]
pub fn addresses(file: &str, name: &str) -> Vec<IpAddr> {
    let mut found = Vec::new();
    for line in file.lines() {
        let line = line.split_once('#').map_or(line, |(line, _)| line);
        let mut words = line.split_ascii_whitespace();
        let Some(Ok(address)) = words.next().map(str::parse) else {
            continue;
        };
        if words.any(|word| {
            word.strip_suffix('.')
                .unwrap_or(word)
                .eq_ignore_ascii_case(name)
        }) {
            found.push(address);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_and_aliases_are_found() {
        let file = "127.0.0.1 localhost\n::1\tlocalhost ip6-localhost # loopback shop\n\
                    # 10.0.0.1 shop\n10.0.0.2 a.shop Shop\nnot-an-address shop\n10.0.0.3\n";
        let of = |name| {
            addresses(file, name)
                .iter()
                .map(IpAddr::to_string)
                .collect::<Vec<_>>()
        };
        assert_eq!(of("localhost"), ["127.0.0.1", "::1"]);
        assert_eq!(of("shop"), ["10.0.0.2"]);
        assert!(of("loopback").is_empty() && of("10.0.0.3").is_empty());
    }

    proptest! {
        #[test]
        fn any_file_reads(file in "(.|\n){0,300}", name in "[a-z.]{1,20}") {
            let _ = addresses(&file, &name);
        }

        #[test]
        fn what_is_written_is_found(before in "\\PC{0,40}", address in any::<IpAddr>(), name in "[a-z]{1,9}") {
            let file = format!("#{before}\n{address} other {name}\n");
            prop_assert!(addresses(&file, &name).contains(&address));
        }
    }
}
