//! Pure: which unit may say what. Whoever says more is believed nothing of it.

use event::Kind;

/// A client's address is believed only of those that see clients.
const MAY_SAY: &[(&str, &[Kind])] = &[
    (
        "casemate-gate",
        &[
            Kind::TlsHandshakeFailed,
            Kind::RequestMalformed,
            Kind::HostUnknown,
            Kind::MethodRefused,
            Kind::RateLimited,
            Kind::ConnectionLimit,
            Kind::ProxyUntrusted,
            Kind::BodyTooLarge,
            Kind::SlowClient,
            Kind::UpgradeRefused,
            Kind::OriginRefused,
            Kind::FrameMalformed,
            Kind::MessageTooLarge,
            Kind::HoneypotProbed,
            Kind::HoneypotLinked,
            Kind::TokenForged,
            Kind::LoginFailed,
            Kind::CertificateExpiring,
        ],
    ),
    (
        "casemate-certs",
        &[Kind::CertificateExpiring, Kind::CertificateRenewalFailed],
    ),
];

/// Whether a unit, as the kernel names it, may send events of that kind.
#[must_use]
pub fn may_say(unit: &str, kind: Kind) -> bool {
    let Some(name) = unit.strip_suffix(".service") else {
        return false;
    };
    let (name, _instance) = name.split_once('@').unwrap_or((name, ""));
    let found = MAY_SAY.iter().find(|(known, _)| *known == name);
    found.is_some_and(|(_, kinds)| kinds.contains(&kind))
}

/// Whether a unit may ask to be told of every ban.
#[must_use]
pub fn may_follow(unit: &str) -> bool {
    unit == "casemate-gate.service"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_those_that_see_clients_may_blame_them() {
        for kind in Kind::ALL {
            let about_client = !matches!(
                kind,
                Kind::EventForged | Kind::CertificateExpiring | Kind::CertificateRenewalFailed
            );
            if about_client {
                assert!(may_say("casemate-gate.service", kind), "{kind:?}");
            }
            for unit in [
                "casemate-llm.service",
                "casemate-gatekeeper.service",
                "casemate-gate.scope",
                "casemate-gate",
                "ssh.service",
                "",
            ] {
                assert!(!may_say(unit, kind), "{unit} {kind:?}");
            }
        }
        assert!(!may_say("casemate-gate.service", Kind::EventForged));
        assert!(!may_say("casemate-certs.service", Kind::LoginFailed));
        assert!(may_follow("casemate-gate.service") && !may_follow("casemate-llm.service"));
    }
}
