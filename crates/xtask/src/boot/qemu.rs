//! Boots a root in QEMU: a kernel of its own, on hardware virtualisation where that works, else emulated.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::supervise::{Running, supervise};
use super::{Event, report};
use crate::cgroup::Cgroup;
use crate::failure::{Failure, Outcome, While};
use crate::mounts;
use crate::program;

/// The guest's memory, in MiB: a browser runs in it.
const MEMORY_MIB: u32 = 3072;

/// The guest's processors.
const PROCESSORS: u32 = 2;

/// How long QEMU may take to open its sockets, in seconds.
const SOCKETS_SECONDS: u64 = 30;

/// How long a kernel may take under KVM to get as far as missing its root, in seconds. It takes two.
const PROBE_SECONDS: u64 = 12;

/// A virtual machine to boot.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Guest {
    /// The kernel.
    #[arg(long)]
    pub(crate) kernel: PathBuf,
    /// Its initial RAM disk, which lays the three disks over each other.
    #[arg(long)]
    pub(crate) initrd: PathBuf,
    /// The disk with Debian; read only.
    #[arg(long)]
    pub(crate) base: PathBuf,
    /// The disk with what is laid over Debian; read only.
    #[arg(long)]
    pub(crate) layer: PathBuf,
    /// The disk that keeps what the machine writes.
    #[arg(long)]
    pub(crate) state: PathBuf,
    /// The name of the machine's control group.
    #[arg(long)]
    pub(crate) cgroup: String,
    /// ADDRESS:PORT of this machine that leads to the guest's port 443.
    #[arg(long)]
    pub(crate) forward: Option<std::net::SocketAddrV4>,
    /// The directory with the memory of the guest's TPM; without it, the guest has none.
    #[arg(long)]
    pub(crate) tpm: Option<PathBuf>,
    /// Restart when the guest asks for it; otherwise a restart ends the machine.
    #[arg(long)]
    pub(crate) allow_reboot: bool,
}

/// Where a guest's sockets lie; the path is short because a socket's name may have 107 bytes at most.
pub(crate) fn socket_dir(cgroup: &str) -> PathBuf {
    Path::new("/run").join(cgroup)
}

/// Boots the guest and stays until it is off.
pub(crate) fn boot(guest: &Guest) -> Outcome<()> {
    mounts::enter_private_namespace()?;
    let hierarchy = mounts::unified_cgroups()?;
    let accelerator = accelerator(&guest.kernel);
    let sockets = socket_dir(&guest.cgroup);
    fs::create_dir_all(&sockets).during("the directory for QEMU's sockets could not be made")?;
    let monitor = sockets.join("monitor");
    let cgroup = Cgroup::named(&hierarchy, &guest.cgroup)?;
    cgroup.create()?;
    let started = cgroup
        .around(|| start(guest, accelerator, &sockets))
        .and_then(|child| {
            wait_for(&monitor)?;
            Ok(child)
        });
    let outcome = match started {
        Ok(child) => report(&Event::Console {
            shell: sockets.join("shell"),
            terminal: sockets.join("terminal"),
            monitor: monitor.clone(),
            accelerator: accelerator.to_owned(),
        })
        .and_then(|()| {
            supervise(Running {
                child,
                cgroup,
                notifications: None,
                power_off: &|_| press_power_button(&monitor),
                // QEMU restarts by itself.
                restart: None,
            })
        }),
        Err(failure) => cgroup.destroy().and(Err(failure)),
    };
    fs::remove_dir_all(&sockets).during("QEMU's sockets could not be removed")?;
    outcome
}

fn start(guest: &Guest, accelerator: &str, sockets: &Path) -> Outcome<Child> {
    let socket = |name: &str| sockets.join(name).display().to_string();
    let disk = |path: &Path, options: &str| {
        format!("file={},format=raw,if=virtio,{options}", path.display())
    };
    let mut network = "user,id=net0".to_owned();
    if let Some(address) = guest.forward {
        network.push_str(&format!(
            ",hostfwd=tcp:{}:{}-:443",
            address.ip(),
            address.port()
        ));
    }
    let mut command = program::ending_with_this("KILL");
    command
        .arg("qemu-system-x86_64")
        .args(["-nodefaults", "-display", "none", "-machine", "q35"])
        .args(["-accel", accelerator, "-cpu", "max"])
        .args([
            "-smp",
            &PROCESSORS.to_string(),
            "-m",
            &MEMORY_MIB.to_string(),
        ])
        .arg("-kernel")
        .arg(&guest.kernel)
        .arg("-initrd")
        .arg(&guest.initrd)
        .args(["-append", KERNEL_COMMAND_LINE])
        .args(["-drive", &disk(&guest.base, "readonly=on")])
        .args(["-drive", &disk(&guest.layer, "readonly=on")])
        .args([
            "-drive",
            &disk(&guest.state, "cache=writeback,discard=unmap"),
        ])
        .args(["-netdev", &network, "-device", "virtio-net-pci,netdev=net0"])
        .args(["-device", "virtio-rng-pci", "-device", "virtio-serial-pci"])
        .args(["-serial", "stdio"])
        .args([
            "-qmp",
            &format!("unix:{},server=on,wait=off", socket("monitor")),
        ]);
    if let Some(memory) = &guest.tpm {
        let socket = sockets.join("tpm");
        emulate_tpm(memory, &socket)?;
        command
            .args([
                "-chardev",
                &format!("socket,id=tpm,path={}", socket.display()),
            ])
            .args(["-tpmdev", "emulator,id=tpm0,chardev=tpm"])
            .args(["-device", "tpm-tis,tpmdev=tpm0"]);
    }
    for name in ["shell", "terminal"] {
        command
            .args([
                "-chardev",
                &format!("socket,id={name},path={},server=on,wait=off", socket(name)),
            ])
            .args(["-device", &format!("virtconsole,chardev={name}")]);
    }
    if !guest.allow_reboot {
        command.arg("-no-reboot");
    }
    command
        .stdin(Stdio::null())
        .stdout(std::io::stderr())
        .spawn()
        .during("QEMU could not be started")
}

/// `panic=-1` restarts at once, which ends a machine that may not restart.
const KERNEL_COMMAND_LINE: &str = "root=/dev/vda ro rootfstype=ext4 console=ttyS0 panic=-1 \
    fsck.mode=skip net.ifnames=0 systemd.show_status=no systemd.log_target=journal quiet";

/// Starts a TPM that ends with QEMU. What it holds outlives the machine, as a TPM's memory does.
fn emulate_tpm(memory: &Path, socket: &Path) -> Outcome<()> {
    fs::create_dir_all(memory).during("the directory for the TPM's memory could not be made")?;
    program::ending_with_this("KILL")
        .args(["swtpm", "socket", "--tpm2", "--terminate"])
        .args(["--tpmstate", &format!("dir={}", memory.display())])
        .args(["--ctrl", &format!("type=unixio,path={}", socket.display())])
        .stdin(Stdio::null())
        .stdout(std::io::stderr())
        .spawn()
        .during("swtpm could not be started")?;
    let deadline = Instant::now() + Duration::from_secs(SOCKETS_SECONDS);
    // It is not tried out: the TPM would end with the first connection that does.
    while !socket.exists() {
        if Instant::now() > deadline {
            return Failure::because("swtpm did not open its socket; the console says why");
        }
        sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// Waits until QEMU answers at `socket`.
fn wait_for(socket: &Path) -> Outcome<()> {
    let deadline = Instant::now() + Duration::from_secs(SOCKETS_SECONDS);
    while UnixStream::connect(socket).is_err() {
        if Instant::now() > deadline {
            return Failure::because("QEMU did not open its sockets; its console says why");
        }
        sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// Asks the guest to power off, by QMP (`qemu-qmp-ref`, `system_powerdown`).
fn press_power_button(monitor: &Path) -> Outcome<()> {
    let talk = || -> std::io::Result<()> {
        let mut stream = UnixStream::connect(monitor)?;
        let mut replies = BufReader::new(stream.try_clone()?);
        let mut line = String::new();
        replies.read_line(&mut line)?;
        for command in ["qmp_capabilities", "system_powerdown"] {
            writeln!(stream, "{{\"execute\":\"{command}\"}}")?;
            replies.read_line(&mut line)?;
        }
        Ok(())
    };
    talk().during("QEMU did not take the order to power off")
}

/// `kvm` where a guest really runs under it, else `tcg`.
///
/// That `/dev/kvm` opens proves little: under some hypervisors an ordinary kernel then hangs. So one is booted
/// without a root, and must get far enough to complain about that.
fn accelerator(kernel: &Path) -> &'static str {
    if fs::File::options()
        .read(true)
        .write(true)
        .open("/dev/kvm")
        .is_err()
    {
        return "tcg";
    }
    let probe = || -> std::io::Result<bool> {
        let mut child = Command::new("timeout")
            .args([
                "--signal=KILL",
                &PROBE_SECONDS.to_string(),
                "setpriv",
                "--pdeathsig",
                "KILL",
            ])
            .args([
                "qemu-system-x86_64",
                "-nodefaults",
                "-display",
                "none",
                "-machine",
                "q35",
            ])
            .args([
                "-accel",
                "kvm",
                "-cpu",
                "host",
                "-m",
                "512",
                "-serial",
                "stdio",
                "-no-reboot",
            ])
            .arg("-kernel")
            .arg(kernel)
            .args(["-append", "console=ttyS0 panic=-1"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let output = child.stdout.take();
        let reached = output.is_some_and(|output| {
            BufReader::new(output)
                .split(b'\n')
                .map_while(Result::ok)
                .any(|line| String::from_utf8_lossy(&line).contains("Unable to mount root fs"))
        });
        child.kill()?;
        child.wait()?;
        Ok(reached)
    };
    if probe().unwrap_or(false) {
        "kvm"
    } else {
        "tcg"
    }
}
