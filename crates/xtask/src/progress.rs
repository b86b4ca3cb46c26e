//! Progress on the terminal: what is being done, and how long it took.

use std::time::{Duration, Instant};

use crate::failure::Outcome;

/// Does one step, saying so before and after.
pub(crate) fn step<T>(title: &str, work: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
    println!("• {title} …");
    let started = Instant::now();
    let outcome = work();
    let time = seconds(started.elapsed());
    match &outcome {
        Ok(_) => println!("  done in {time}"),
        Err(_) => println!("  failed after {time}"),
    }
    outcome
}

/// Tells something that belongs to the step at hand.
pub(crate) fn note(text: &str) {
    println!("  {text}");
}

/// A time as a person reads it.
pub(crate) fn seconds(time: Duration) -> String {
    if time.as_secs() >= 60 {
        format!("{} min {:02} s", time.as_secs() / 60, time.as_secs() % 60)
    } else {
        format!("{:.1} s", time.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_well() {
        assert_eq!(seconds(Duration::from_millis(1234)), "1.2 s");
        assert_eq!(seconds(Duration::from_secs(125)), "2 min 05 s");
    }
}
