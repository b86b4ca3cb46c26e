//! The names of error numbers, as errno(3) has them.

use std::io;

macro_rules! names {
    ($($name:ident)+) => { &[$((libc::$name, stringify!($name)),)+] };
}

/// Those that a probe can meet.
const NAMES: &[(libc::c_int, &str)] = names! {
    EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG ENOEXEC EBADF ECHILD EAGAIN ENOMEM EACCES EFAULT ENOTBLK EBUSY EEXIST EXDEV ENODEV ENOTDIR
    EISDIR EINVAL ENFILE EMFILE ENOTTY ETXTBSY EFBIG ENOSPC ESPIPE EROFS EMLINK EPIPE ERANGE EDEADLK ENAMETOOLONG ENOSYS ENOTEMPTY ELOOP
    EOVERFLOW ENOTSOCK EDESTADDRREQ EMSGSIZE EPROTOTYPE ENOPROTOOPT EPROTONOSUPPORT ESOCKTNOSUPPORT EOPNOTSUPP EPFNOSUPPORT EAFNOSUPPORT
    EADDRINUSE EADDRNOTAVAIL ENETDOWN ENETUNREACH ECONNRESET ECONNREFUSED ETIMEDOUT EHOSTUNREACH EINPROGRESS ESTALE EDQUOT ENOKEY EUSERS
};

/// `EACCES` for a permission that is denied; the error's own words where it came from no system
/// call.
pub(super) fn name(error: &io::Error) -> String {
    let Some(number) = error.raw_os_error() else {
        return error.to_string();
    };
    let known = NAMES.iter().find(|(value, _)| *value == number);
    known.map_or_else(|| format!("errno {number}"), |(_, name)| (*name).to_owned())
}

/// Counts errors as success that the kernel gives only behind its permission check: it would have
/// done the act, had it been asked properly.
pub(super) fn passes(result: io::Result<()>, behind_the_check: &[libc::c_int]) -> io::Result<()> {
    match result {
        Err(error)
            if error
                .raw_os_error()
                .is_some_and(|number| behind_the_check.contains(&number)) =>
        {
            Ok(())
        }
        other => other,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn errors_have_their_manual_names() {
        assert_eq!(name(&io::Error::from_raw_os_error(1)), "EPERM");
        assert_eq!(name(&io::Error::from_raw_os_error(38)), "ENOSYS");
        assert_eq!(name(&io::Error::from_raw_os_error(4095)), "errno 4095");
        assert_eq!(name(&io::Error::other("no scratch")), "no scratch");
    }

    #[test]
    fn only_the_named_errors_pass() {
        let error = || Err(io::Error::from_raw_os_error(libc::EBUSY));
        passes(error(), &[libc::EINVAL, libc::EBUSY]).unwrap();
        assert_eq!(
            passes(error(), &[libc::EINVAL]).unwrap_err().raw_os_error(),
            Some(libc::EBUSY)
        );
        passes(Ok(()), &[]).unwrap();
    }
}
