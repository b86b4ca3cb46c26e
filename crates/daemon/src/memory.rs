//! Freed memory is wiped, in every service: keys, pages of a store's cache and what visitors say
//! would otherwise stay in the heap until something else happens to lie there.

use std::alloc::System;

use zeroizing_alloc::ZeroAlloc;

#[global_allocator]
static MEMORY: ZeroAlloc<System> = ZeroAlloc(System);

#[cfg(test)]
#[expect(clippy::expect_used, reason = "tests")]
mod tests {
    /// Reads a page that was just freed through the process's own memory file, which shows bytes
    /// that no reference may point to any more.
    #[test]
    fn nothing_is_left_of_what_was_freed() {
        use std::os::unix::fs::FileExt;

        const PAGE_BYTES: usize = 64 * 1024;
        let memory = std::fs::File::open("/proc/self/mem").expect("open");
        let page = vec![0xA7_u8; PAGE_BYTES];
        let at = page.as_ptr() as u64;
        let mut seen = vec![0; PAGE_BYTES];
        memory.read_exact_at(&mut seen, at).expect("read");
        assert_eq!(seen, page);
        drop(page);
        memory.read_exact_at(&mut seen, at).expect("read");
        let left = seen.iter().filter(|byte| **byte == 0xA7).count();
        assert!(left < PAGE_BYTES / 100, "{left} bytes were left");
    }
}
