//! The two servers, as services of the machine.

use std::time::Duration;

use crate::bench::booted::Machine;
use crate::failure::{Outcome, While};

/// A server.
pub(super) struct Server {
    /// What figures call it.
    pub(super) name: &'static str,
    /// ADDRESS:PORT in the machine's network.
    pub(super) address: &'static str,
    unit: &'static str,
}

/// The gate, as the appliance has it.
pub(super) const GATE: Server = Server {
    name: "gate",
    address: "127.0.0.1:443",
    unit: "casemate-gate.service",
};

/// Debian's nginx.
pub(super) const NGINX: Server = Server {
    name: "nginx",
    address: "127.0.0.1:8443",
    unit: "beside-nginx.service",
};

/// Below this path both pass everything on to the same socket.
pub(super) const PREFIX: &str = "/b/bench";

/// Where that socket is: a bot's place, as the gate looks there.
pub(super) const SOCKET: &str = "/run/casemate/chat/bench.sock";

/// The gate's limits are out of the visitors' reach, and still kept. nginx has the same certificate, and as many
/// connections as it likes.
const SET_UP: &str = "\
set -e
mkdir --parents /etc/casemate /run/beside
cat > /etc/casemate/gate.toml <<'END'
connections = 10200
[limits]
general_per_minute = 1000000
connections = 20000
streams = 20000
END
systemctl restart casemate-gate.service
cat /run/casemate/tls/*.pem > /run/beside/certificate.pem
cat > /run/beside/nginx.conf <<'END'
user root;
worker_processes auto;
worker_rlimit_nofile 65536;
error_log stderr;
pid /run/beside/nginx.pid;
events { worker_connections 32768; }
http {
    access_log off;
    keepalive_requests 1000000000;
    keepalive_timeout 600s;
    ssl_certificate /run/beside/certificate.pem;
    ssl_certificate_key /run/beside/certificate.pem;
    ssl_protocols TLSv1.3;
    upstream bot { server unix:@SOCKET@; keepalive 64; }
    proxy_http_version 1.1;
    proxy_set_header Connection '';
    proxy_max_temp_file_size 0;
    proxy_read_timeout 600s;
    server {
        listen @ADDRESS@ ssl backlog=4096;
        location @PREFIX@/ { proxy_pass http://bot/; }
        location @PREFIX@/idle { proxy_buffering off; proxy_pass http://bot/idle; }
    }
}
END
systemd-run --quiet --unit=@UNIT@ --property=LimitNOFILE=65536 nginx -g 'daemon off;' -c /run/beside/nginx.conf
for attempt in $(seq 100); do
    if ss --listening --tcp --numeric --no-header src @ADDRESS@ | grep --quiet .; then exit 0; fi
    sleep 0.1
done
journalctl --no-pager --unit=@UNIT@ >&2
exit 1
";

/// Sets both up. The program behind them must serve.
pub(super) fn set_up(machine: &Machine) -> Outcome<()> {
    let script = SET_UP
        .replace("@SOCKET@", SOCKET)
        .replace("@ADDRESS@", NGINX.address)
        .replace("@PREFIX@", PREFIX)
        .replace("@UNIT@", NGINX.unit);
    machine.reach().succeed(&script).map(drop)
}

impl Server {
    /// The processor time that all its processes have taken.
    pub(super) fn processor(&self, machine: &Machine) -> Outcome<Duration> {
        let show = format!(
            "systemctl show --property=CPUUsageNSec --value {}",
            self.unit
        );
        let shown = machine.reach().succeed(&show)?;
        let nanos = shown.trim().parse();
        nanos.map(Duration::from_nanos).during(format_args!(
            "the processor time of {} could not be read",
            self.unit
        ))
    }

    /// The memory of all its processes, in bytes of PSS (`proc_pid_smaps(5)`).
    pub(super) fn memory(&self, machine: &Machine) -> Outcome<u64> {
        let show = format!(
            "group=$(systemctl show --property=ControlGroup --value {}) && \
             for pid in $(cat /sys/fs/cgroup$group/cgroup.procs); do cat /proc/$pid/smaps_rollup; done",
            self.unit
        );
        let rollups = machine.reach().succeed(&show)?;
        sum(&rollups).during(format_args!(
            "the memory of {} could not be read",
            self.unit
        ))
    }
}

/// The sum of the PSS of several `smaps_rollup`s, in bytes; none where there is none.
fn sum(rollups: &str) -> Option<u64> {
    let kibibytes = rollups
        .lines()
        .filter_map(|line| line.strip_prefix("Pss:")?.trim().strip_suffix("kB"))
        .map(|size| size.trim().parse::<u64>().ok());
    let sum: u64 = kibibytes.sum::<Option<u64>>()?;
    (sum > 0).then_some(sum * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_several_processes_is_a_sum() {
        let two = "Rss: 9 kB\nPss:     1234 kB\nPss_Dirty: 7 kB\nRss: 9 kB\nPss:   6 kB\n";
        assert_eq!(sum(two), Some(1240 * 1024));
        assert_eq!(sum("Pss_Dirty: 7 kB\n"), None);
        assert_eq!(sum("Pss: many kB\n"), None);
    }
}
