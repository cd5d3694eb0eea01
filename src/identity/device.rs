//! Devices that an account has signed in from before, remembered in a signed cookie.
//!
//! Nobody's failures may keep the owner out (RL-4): whoever comes from a known device is not counted together with
//! strangers. The cookie is no credential; it only chooses which counter a try is counted in.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use crate::crypto::{MasterKey, Random, constant_time_eq};
use crate::model::UserId;

/// How many accounts one browser is remembered for.
const ACCOUNTS: usize = 8;

/// The accounts that this browser has signed in to, and the device's own random id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownDevice {
    id: [u8; 16],
    users: Vec<UserId>,
}

impl KnownDevice {
    /// A device that nobody has signed in from.
    pub fn fresh(random: &Random) -> Self {
        Self { id: random.bytes(), users: Vec::new() }
    }

    /// From the cookie's value; `None` unless we signed it.
    pub fn from_cookie(master: &MasterKey, value: &str) -> Option<Self> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(value).ok()?;
        let (body, tag) = bytes.split_last_chunk::<32>()?;
        if !constant_time_eq(&master.tag(b"known device", body), tag) {
            return None;
        }
        let (id, users) = body.split_first_chunk::<16>()?;
        let users: Vec<UserId> = users.chunks(16).map(UserId::from_bytes).collect::<Option<_>>()?;
        (users.len() <= ACCOUNTS).then_some(Self { id: *id, users })
    }

    pub fn to_cookie(&self, master: &MasterKey) -> String {
        let mut body = self.id.to_vec();
        self.users.iter().for_each(|user| body.extend_from_slice(user.as_bytes()));
        let tag = master.tag(b"known device", &body);
        body.extend_from_slice(&tag);
        BASE64_URL_SAFE_NO_PAD.encode(body)
    }

    pub fn knows(&self, user: UserId) -> bool {
        self.users.contains(&user)
    }

    /// Tells one device from another when tries are counted.
    pub fn id(&self) -> &[u8; 16] {
        &self.id
    }

    /// Remembers that `user` signed in here. The account used longest ago is forgotten first.
    pub fn remember(&mut self, user: UserId) {
        self.users.retain(|known| *known != user);
        self.users.insert(0, user);
        self.users.truncate(ACCOUNTS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    #[test]
    fn rl_4_only_a_cookie_that_we_signed_is_known() {
        let random = Random::system();
        let (ours, theirs) = (MasterKey::generate(&random), MasterKey::generate(&random));
        let user = UserId::new(Timestamp(0), &random);
        let mut device = KnownDevice::fresh(&random);
        device.remember(user);
        let cookie = device.to_cookie(&ours);
        assert_eq!(KnownDevice::from_cookie(&ours, &cookie), Some(device));
        assert_eq!(KnownDevice::from_cookie(&theirs, &cookie), None);
        for bad in ["", "AAAA", &cookie[1..], &cookie[..cookie.len() - 1], "%%%"] {
            assert_eq!(KnownDevice::from_cookie(&ours, bad), None, "{bad}");
        }
    }

    #[test]
    fn the_oldest_account_is_forgotten_first() {
        let random = Random::system();
        let users: Vec<UserId> =
            (0..9).map(|second| UserId::new(Timestamp::from_seconds(second), &random)).collect();
        let mut device = KnownDevice::fresh(&random);
        users.iter().for_each(|user| device.remember(*user));
        assert!(!device.knows(users[0]) && device.knows(users[1]) && device.knows(users[8]));
    }
}
