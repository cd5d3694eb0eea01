//! Random bytes from the operating system.

use ring::rand::{SecureRandom, SystemRandom};

/// A source of unpredictable bytes. Passed in, never reached for, so that what needs it says so.
#[derive(Clone, Debug)]
pub struct Random(SystemRandom);

impl Random {
    pub fn system() -> Self {
        Self(SystemRandom::new())
    }

    /// Fills an array.
    ///
    /// # Panics
    /// If the operating system gives no randomness: nothing safe can be done without it.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.fill(&mut bytes).expect("the operating system provides randomness");
        bytes
    }

    /// For `ring` functions that take a source of their own.
    pub fn source(&self) -> &SystemRandom {
        &self.0
    }
}
