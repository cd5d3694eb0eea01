//! Codes of an authenticator application (RFC 6238): six digits, SHA-1, thirty seconds, which is what all of them
//! can do.
//!
//! The secret is sealed, shown at enrolment only, and counts once a first code has proven that the application has
//! it. A time step is accepted once, whichever node is asked (MF-1).

use totp_rs::{Builder, Totp};
use zeroize::Zeroizing;

use super::second::{Claimant, Stand};

use crate::app::App;
use crate::clock::Timestamp;
use crate::crypto::{MasterKey, Secret};
use crate::model::UserId;
use crate::store::factors::{self, Totp as Row};
use crate::store::{self, Conn, users};

/// RFC 4226 §4 R6 recommends 160 bits.
const SECRET_BYTES: usize = 20;
const STEP: u64 = 30;

/// What the person types into, or scans with, the application.
#[derive(Clone, Debug)]
pub struct Enrolment {
    /// In base 32, for typing.
    pub key: Secret,
    /// `otpauth://…`, for scanning.
    pub uri: Secret,
}

/// Proposes a new secret to a claimant who may add a factor; an earlier proposal is void. `false` if the claimant may
/// not, or has an application.
pub async fn propose(app: &App, claimant: &Claimant) -> Result<bool, store::Error> {
    let (claimant, now) = (claimant.clone(), app.clock.now());
    let secret = Zeroizing::new(app.random.bytes::<SECRET_BYTES>());
    let (master, random) = (app.master.clone(), app.random.clone());
    app.db
        .write(move |db| {
            let Some(stand) = Stand::of(db, &claimant, now)? else { return Ok(false) };
            if stand.enrolling(db, now)?.is_none() {
                return Ok(false);
            }
            let user = stand.admission().user().id;
            let row = Row {
                user_id: user,
                sealed: master.seal(&random, &context(user), secret.as_slice()),
                last_step: 0,
                created_at: now,
                confirmed_at: None,
            };
            factors::propose_totp(db, &row)
        })
        .await
}

/// The secret that waits for its first code, for showing it.
pub async fn proposed(app: &App, claimant: &Claimant) -> Result<Option<Enrolment>, store::Error> {
    let (claimant, now) = (claimant.clone(), app.clock.now());
    let found = app.db.read(move |db| {
        let Some(stand) = Stand::of(db, &claimant, now)? else { return Ok(None) };
        if stand.enrolling(db, now)?.is_none() {
            return Ok(None);
        }
        let user = stand.admission().user().clone();
        let row = factors::totp(db, user.id)?.filter(|row| row.confirmed_at.is_none());
        let email = users::primary_email(db, user.id)?.map(|email| email.address);
        Ok(row.map(|row| (row, email.or(user.username).unwrap_or(user.name))))
    });
    let Some((row, account)) = found.await? else { return Ok(None) };
    let secret = open(&row, &app.master)?;
    let totp = generator(&secret, &app.config.branding.product_name, &account);
    let uri = totp.to_url().map_err(|error| store::Error::broken("an authenticator's address", error))?;
    Ok(Some(Enrolment { key: Secret::from_text(totp.secret().to_base32()), uri: Secret::from_text(uri) }))
}

fn open(row: &Row, master: &MasterKey) -> Result<Zeroizing<Vec<u8>>, store::Error> {
    master
        .unseal(&context(row.user_id), &row.sealed)
        .map_err(|error| store::Error::broken("an authenticator's secret", error))
}

/// Whether the code is right for a secret that waits for confirmation, and which step it belongs to.
pub(super) fn matching_step(
    row: &Row,
    master: &MasterKey,
    code: &str,
    now: Timestamp,
) -> Result<Option<i64>, store::Error> {
    let secret = open(row, master)?;
    let digits: String = code.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
    // The library takes codes of other shapes apart as well; only six digits are one of ours.
    if digits.len() != 6 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(None);
    }
    let seconds = u64::try_from(now.seconds()).unwrap_or(0);
    let step = generator(&secret, "", "").check(&digits, seconds);
    Ok(step.and_then(|step| i64::try_from(step).ok()))
}

/// Spends a code of the user's confirmed application. `false` if it is wrong, or was spent before.
pub(super) fn spend(
    db: &mut Conn,
    master: &MasterKey,
    user: UserId,
    code: &str,
    now: Timestamp,
) -> Result<bool, store::Error> {
    let Some(row) = factors::totp(db, user)?.filter(|row| row.confirmed_at.is_some()) else {
        return Ok(false);
    };
    match matching_step(&row, master, code, now)? {
        Some(step) => factors::spend_step(db, user, step),
        None => Ok(false),
    }
}

/// A name that leaves out what the address of an application may not hold.
fn generator(secret: &[u8], product: &str, account: &str) -> Totp {
    let plain = |text: &str| text.replace(':', " ");
    Builder::new()
        .with_secret(secret.to_vec())
        .with_skew(1)
        .with_step_duration(STEP)
        .with_issuer(Some(plain(product)))
        .with_account_name(plain(account))
        .build()
        .expect("160 bits, six digits and names without colons are what the library takes")
}

/// What a sealed secret is bound to.
fn context(user: UserId) -> Vec<u8> {
    [b"totp secret ".as_slice(), user.as_bytes().as_slice()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Random;

    fn row(master: &MasterKey, user: UserId, secret: &[u8]) -> Row {
        Row {
            user_id: user,
            sealed: master.seal(&Random::system(), &context(user), secret),
            last_step: 0,
            created_at: Timestamp(0),
            confirmed_at: Some(Timestamp(0)),
        }
    }

    #[test]
    fn mf_1_a_code_counts_from_the_step_before_to_the_step_after_its_own() {
        let (random, master) = (Random::system(), MasterKey::generate(&Random::system()));
        let user = UserId::new(Timestamp(0), &random);
        // The secret of RFC 6238 appendix B, whose codes end in these six digits.
        let row = row(&master, user, b"12345678901234567890");
        for (at, code, step) in [
            (59, "287082", Some(1)),
            (29, "287082", Some(1)),
            (0, "287082", Some(1)),
            (89, "287082", Some(1)),
            (90, "287082", None),
            (1_111_111_109, "081804", Some(37_037_036)),
            (1_111_111_109, " 081 804 ", Some(37_037_036)),
            (1_111_111_109, "081-804", Some(37_037_036)),
            (1_111_111_080 - 31, "081804", None),
            (1_111_111_109, "081805", None),
            (1_111_111_109, "81804", None),
            (1_111_111_109, "0818044", None),
            (1_111_111_109, "07081804", None),
            (1_111_111_109, "०८१८०४", None),
            (1_111_111_109, "", None),
            (20_000_000_000, "353130", Some(666_666_666)),
        ] {
            let found = matching_step(&row, &master, code, Timestamp::from_seconds(at)).unwrap();
            assert_eq!(found, step, "{code:?} at {at}");
        }
    }

    #[test]
    fn mf_1_a_sealed_secret_moved_to_another_account_does_not_open() {
        let (random, master) = (Random::system(), MasterKey::generate(&Random::system()));
        let [ada, eve] = [(); 2].map(|()| UserId::new(Timestamp(0), &random));
        let moved = Row { user_id: eve, ..row(&master, ada, &[7; 20]) };
        assert!(matching_step(&moved, &master, "000000", Timestamp(0)).is_err());
    }
}
