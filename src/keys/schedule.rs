//! When a signing key is published, signs, and leaves: pure rules over its stored times.
//!
//! Every node obeys the same stored times (TK-10), so no node signs with a key that another does not serve yet.
//! The keys of one algorithm form a line: each signs until the next one begins. [`settle`] says what the stored
//! times come to when a key of that line is revoked; all other rules follow from it. Making a key, storing it and
//! choosing when to look are left to the callers; a caller that does
//! `if rotation_due(…) { store a key by plan_rotation(…) }` for each algorithm, from time to time and after every
//! revocation, gets the first key, the scheduled rotation, and the replacement of a revoked key.

use std::time::Duration;

use crate::clock::Timestamp;

/// How far a ready node's clock may be from the database's (CR-7).
pub const NODE_DRIFT: Duration = Duration::from_secs(5 * 60);

/// How long a retired key stays after its last token is dead: verifiers may allow 60 s (TK-6), and the node that
/// signed last may be late while the one that serves the JWKS is early.
const STAY: Duration = Duration::from_secs(60 + 2 * 5 * 60);

/// What a verifier may cache at most, and at least.
const MAX_AGE: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(60 * 60));

/// The stored times of one signing key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyTimes {
    pub created_at: Timestamp,
    /// From then on the JWKS has it.
    pub published_at: Timestamp,
    /// From then on it may sign.
    pub active_from: Timestamp,
    /// From then on it signs no more, if its successor does; may lie ahead.
    pub retired_at: Option<Timestamp>,
    /// Revoked keys are out at once, whatever the clock of the node says (TK-11).
    pub revoked_at: Option<Timestamp>,
}

/// The settings that the rules need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyPolicy {
    /// How long a key signs.
    pub rotate_every: Duration,
    /// How long a key is published before it signs; at least what the JWKS may be cached for.
    pub publish_ahead: Duration,
    /// The longest life of any token that a key signs.
    pub longest_token_life: Duration,
}

/// A new key's times, and what they mean for the others of its algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RotationPlan {
    pub new: KeyTimes,
    /// Every other key that has no earlier end retires then. `None` if the new key only fills a gap.
    pub retire_others_at: Option<Timestamp>,
}

/// The rules for one key; its times are settled.
impl KeyTimes {
    /// Whether the JWKS has the key at `now`.
    pub fn is_published(&self, now: Timestamp, policy: &KeyPolicy) -> bool {
        self.published_at <= now && self.may_verify(now, policy)
    }

    /// Whether its signatures are believed at `now`. Unlike the JWKS this does not wait for `published_at`: a node
    /// with a late clock must not refuse what its neighbour signed.
    pub fn may_verify(&self, now: Timestamp, policy: &KeyPolicy) -> bool {
        self.revoked_at.is_none() && self.leaves_at(policy).is_none_or(|leaves| now < leaves)
    }

    /// Whether it may sign at `now`.
    pub fn may_sign(&self, now: Timestamp) -> bool {
        self.active_from <= now && self.is_live(now)
    }

    /// Neither revoked nor retired at `now`: it signs, or will.
    fn is_live(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.retired_at.is_none_or(|retired| now < retired)
    }

    /// When every token that it signed is dead.
    pub fn leaves_at(&self, policy: &KeyPolicy) -> Option<Timestamp> {
        self.retired_at.map(|retired| retired.plus(policy.longest_token_life).plus(STAY))
    }

    /// When the newer key `next` takes over from a key that is to retire at `retired`: the first moment from then on
    /// at which `next` is in force. `None` if it never is, for example because it was revoked while it waited.
    fn takes_over(next: &Self, retired: Timestamp) -> Option<Timestamp> {
        let moment = retired.max(next.active_from);
        let ended = [next.retired_at, next.revoked_at].into_iter().flatten().min();
        ended.is_none_or(|ended| moment < ended).then_some(moment)
    }

    /// Of several that may sign, the greatest does.
    pub(super) fn place_in_line(&self) -> (Timestamp, Timestamp) {
        (self.active_from, self.created_at)
    }
}

/// The times as they take effect, in the same order. The keys are all of one algorithm.
///
/// A key retires when its time has come *and* a newer key signs. So if a successor is revoked while it waits, the
/// key before it signs on, without a gap and without anything to be stored; but a key whose successor did take
/// over never comes back. Settling settled times changes nothing.
pub fn settle(keys: &[KeyTimes]) -> Vec<KeyTimes> {
    let mut newest_first: Vec<usize> = (0..keys.len()).collect();
    newest_first.sort_by_key(|&index| std::cmp::Reverse(keys[index].place_in_line()));
    let mut settled = keys.to_vec();
    for (place, &index) in newest_first.iter().enumerate() {
        let newer = &newest_first[..place];
        settled[index].retired_at = keys[index].retired_at.and_then(|retired| {
            newer.iter().filter_map(|&next| KeyTimes::takes_over(&settled[next], retired)).min()
        });
    }
    settled
}

/// Which of the keys signs at `now`: of those that may, the one that began last. The keys are all of one algorithm.
pub fn signing_key(keys: &[KeyTimes], now: Timestamp) -> Option<usize> {
    let settled = settle(keys);
    (0..keys.len())
        .filter(|&index| settled[index].may_sign(now))
        .max_by_key(|&index| settled[index].place_in_line())
}

/// When the set of published keys changes next. The times are settled, and may be of several algorithms.
pub fn next_change<'a>(
    keys: impl IntoIterator<Item = &'a KeyTimes>,
    now: Timestamp,
    policy: &KeyPolicy,
) -> Option<Timestamp> {
    keys.into_iter()
        .filter(|key| key.revoked_at.is_none())
        .flat_map(|key| [Some(key.published_at), key.leaves_at(policy)])
        .flatten()
        .filter(|change| *change > now)
        .min()
}

/// How long a verifier may keep the JWKS that it fetches at `now`: an hour or until the next change, but a minute
/// at least, and never longer than a new key is published ahead.
pub fn max_age(next_change: Option<Timestamp>, now: Timestamp, policy: &KeyPolicy) -> Duration {
    let (least, most) = MAX_AGE;
    let until_change = next_change.map_or(most, |change| change.since(now));
    until_change.clamp(least, most).min(policy.publish_ahead)
}

/// Whether a new key must be made now. The keys are all of one algorithm.
///
/// It must if none may sign (at the first start, after a revocation), or if no successor waits although the key
/// that signs was to retire (its successor was revoked) or has signed for so long that a successor has to be
/// published.
pub fn rotation_due(now: Timestamp, policy: &KeyPolicy, keys: &[KeyTimes]) -> bool {
    let Some(signing) = signing_key(keys, now).map(|index| &keys[index]) else { return true };
    let signs_until = signing.active_from.plus(policy.rotate_every);
    let is_ending = signing.retired_at.is_some() || signs_until.minus(policy.publish_ahead) <= now;
    is_ending && waiting(keys, now).next().is_none()
}

/// The times of a new key. The keys are all of one algorithm.
///
/// Normally the new key is published at once and signs after `publish_ahead`, and not before a key that already
/// waits. If no key may sign, it signs at once: better a token that some verifier must refetch the JWKS for than
/// no token.
pub fn plan_rotation(now: Timestamp, publish_ahead: Duration, keys: &[KeyTimes]) -> RotationPlan {
    let new = |published_at, active_from, retired_at| KeyTimes {
        created_at: now,
        published_at,
        active_from,
        retired_at,
        revoked_at: None,
    };
    if signing_key(keys, now).is_none() {
        // Backdated, so that it is in force on the nodes whose clocks are late, too.
        let at_once = now.minus(NODE_DRIFT);
        return RotationPlan { new: new(at_once, at_once, waiting(keys, now).min()), retire_others_at: None };
    }
    let active_from = waiting(keys, now).chain([now.plus(publish_ahead)]).max();
    let active_from = active_from.expect("the chain has an element");
    RotationPlan { new: new(now, active_from, None), retire_others_at: Some(active_from) }
}

/// When each of the keys that wait begins to sign.
fn waiting(keys: &[KeyTimes], now: Timestamp) -> impl Iterator<Item = Timestamp> {
    keys.iter()
        .filter(move |key| key.revoked_at.is_none() && key.active_from > now)
        .map(|key| key.active_from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOUR: Duration = Duration::from_secs(3600);
    const POLICY: KeyPolicy = KeyPolicy {
        rotate_every: Duration::from_secs(90 * 86_400),
        publish_ahead: DAY,
        longest_token_life: HOUR,
    };
    const DAY: Duration = Duration::from_secs(86_400);

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_seconds(hours * 3600)
    }

    /// Published, active from, retired; in hours.
    fn key(published: i64, active: i64, retired: Option<i64>) -> KeyTimes {
        KeyTimes {
            created_at: at(published),
            published_at: at(published),
            active_from: at(active),
            retired_at: retired.map(at),
            revoked_at: None,
        }
    }

    fn revoked(key: KeyTimes, hours: i64) -> KeyTimes {
        KeyTimes { revoked_at: Some(at(hours)), ..key }
    }

    #[test]
    fn tk_10_a_key_is_published_then_signs_then_stays_until_its_tokens_are_dead() {
        let key = key(10, 34, Some(100));
        //            published, verifies, signs
        for (hours, expected) in [
            (9, (false, true, false)),
            (10, (true, true, false)),
            (33, (true, true, false)),
            (34, (true, true, true)),
            (99, (true, true, true)),
            (100, (true, true, false)),
            (101, (true, true, false)),
            (102, (false, false, false)),
        ] {
            let now = at(hours);
            let found = (key.is_published(now, &POLICY), key.may_verify(now, &POLICY), key.may_sign(now));
            assert_eq!(found, expected, "at hour {hours}");
        }
        let last_token_dies = at(100).plus(POLICY.longest_token_life);
        assert!(key.is_published(last_token_dies.plus(Duration::from_secs(60)), &POLICY));
    }

    #[test]
    fn tk_11_a_revoked_key_is_out_at_once_even_where_the_clock_is_late() {
        let key = revoked(key(10, 34, None), 50);
        for hours in [40, 50, 60] {
            assert!(!key.is_published(at(hours), &POLICY));
            assert!(!key.may_verify(at(hours), &POLICY));
            assert!(!key.may_sign(at(hours)));
        }
    }

    #[test]
    fn the_newest_key_that_may_sign_signs() {
        let (old, new) = (key(0, 24, Some(100)), key(76, 100, None));
        for (keys, hours, expected) in [
            (vec![], 10, None),
            (vec![old, new], 23, None),
            (vec![old, new], 24, Some(0)),
            (vec![old, new], 99, Some(0)),
            (vec![old, new], 100, Some(1)),
            (vec![key(0, 24, None), new], 100, Some(1)),
            (vec![key(0, 24, None), revoked(new, 101)], 102, Some(0)),
        ] {
            assert_eq!(signing_key(&keys, at(hours)), expected, "{keys:?} at hour {hours}");
        }
    }

    #[test]
    fn the_jwks_is_cached_until_it_changes_and_never_longer_than_keys_are_published_ahead() {
        let keys = [key(10, 34, Some(100)), key(76, 100, None), revoked(key(80, 90, None), 81)];
        for (hours, expected) in [(9, Some(at(10))), (10, Some(at(76))), (76, Some(at(101).plus(STAY)))] {
            assert_eq!(next_change(&keys, at(hours), &POLICY), expected, "at hour {hours}");
        }
        assert_eq!(next_change(&keys, at(102), &POLICY), None);

        let seconds = Duration::from_secs;
        for (until_change, ahead, expected) in [
            (None, DAY, HOUR),
            (Some(seconds(7200)), DAY, HOUR),
            (Some(seconds(600)), DAY, seconds(600)),
            (Some(seconds(5)), DAY, seconds(60)),
            (None, seconds(300), seconds(300)),
            (None, seconds(10), seconds(10)),
        ] {
            let policy = KeyPolicy { publish_ahead: ahead, ..POLICY };
            let change = until_change.map(|by| at(1).plus(by));
            assert_eq!(max_age(change, at(1), &policy), expected, "{until_change:?} {ahead:?}");
        }
    }

    #[test]
    fn rotation_is_due_when_the_line_of_keys_would_end() {
        let quarter = 90 * 24;
        let signing = key(0, 24, None);
        for (name, keys, hours, expected) in [
            ("no key yet", vec![], 0, true),
            ("young", vec![signing], quarter - 1, false),
            ("old enough to publish its successor", vec![signing], quarter, true),
            (
                "successor waits",
                vec![key(0, 24, Some(quarter + 24)), key(quarter, quarter + 24, None)],
                quarter,
                false,
            ),
            ("to retire without successor", vec![key(0, 24, Some(100))], 50, true),
            ("retired without successor", vec![key(0, 24, Some(100))], 200, true),
            (
                "successor revoked later",
                vec![key(0, 24, Some(100)), revoked(key(76, 100, None), 120)],
                121,
                true,
            ),
            ("revoked", vec![revoked(signing, 30)], 31, true),
            ("successor revoked", vec![key(0, 24, Some(100)), revoked(key(76, 100, None), 80)], 80, true),
            ("only a waiting key", vec![key(0, 24, None)], 10, true),
        ] {
            assert_eq!(rotation_due(at(hours), &POLICY, &keys), expected, "{name}");
        }
    }

    #[test]
    fn a_new_key_follows_the_last_of_the_line() {
        let plan = |keys: &[KeyTimes], hours| {
            let plan = plan_rotation(at(hours), DAY, keys);
            assert_eq!((plan.new.created_at, plan.new.revoked_at), (at(hours), None));
            (plan.new.published_at, plan.new.active_from, plan.new.retired_at, plan.retire_others_at)
        };
        let early = |hours| at(hours).minus(NODE_DRIFT);
        let signing = key(0, 24, None);
        let line = [key(0, 24, Some(100)), key(76, 100, None)];
        let broken = [key(0, 24, Some(100)), revoked(key(76, 100, None), 80)];
        let only_waiting = [revoked(line[0], 80), line[1]];
        for (name, found, expected) in [
            ("the first key signs at once", plan(&[], 5), (early(5), early(5), None, None)),
            ("published ahead", plan(&[signing], 50), (at(50), at(74), None, Some(at(74)))),
            ("asked again while one waits", plan(&line, 80), (at(80), at(104), None, Some(at(104)))),
            ("never before the one that waits", plan(&line, 60), (at(60), at(100), None, Some(at(100)))),
            ("the successor signs", plan(&line, 100), (at(100), at(124), None, Some(at(124)))),
            ("the old key signs on", plan(&broken, 80), (at(80), at(104), None, Some(at(104)))),
            ("revoked", plan(&[revoked(signing, 30)], 31), (early(31), early(31), None, None)),
            ("until the next begins", plan(&only_waiting, 80), (early(80), early(80), Some(at(100)), None)),
        ] {
            assert_eq!(found, expected, "{name}");
        }
    }

    #[test]
    fn tk_11_revoking_a_waiting_key_leaves_no_gap_and_brings_no_retired_key_back() {
        let old = key(0, 24, Some(100));
        let next = |active, retired| key(active - 24, active, retired);
        for (name, keys, expected) in [
            ("followed", vec![old, next(100, None)], vec![Some(100), None]),
            ("not followed", vec![old], vec![None]),
            ("successor revoked while it waited", vec![old, revoked(next(100, None), 80)], vec![None, None]),
            ("successor revoked as it began", vec![old, revoked(next(100, None), 100)], vec![None, None]),
            ("successor revoked later", vec![old, revoked(next(100, None), 101)], vec![Some(100), None]),
            (
                "the middle of the line was revoked",
                vec![old, revoked(next(100, Some(130)), 90), next(130, None)],
                vec![Some(130), Some(130), None],
            ),
            (
                "the whole line was revoked",
                vec![old, revoked(next(100, Some(130)), 90), revoked(next(130, None), 91)],
                vec![None, None, None],
            ),
            (
                "a stop-gap whose successor was revoked, after one that had signed",
                vec![revoked(next(60, None), 65), key(59, 59, Some(100)), revoked(next(100, None), 80)],
                vec![None, None, None],
            ),
        ] {
            let settled = settle(&keys);
            let ends: Vec<_> = settled.iter().map(|key| key.retired_at).collect();
            assert_eq!(ends, expected.into_iter().map(|end| end.map(at)).collect::<Vec<_>>(), "{name}");
            assert_eq!(settle(&settled), settled, "{name}");
        }
    }

    #[derive(Clone, Debug)]
    enum Step {
        Wait(u32),
        Rotate,
        Revoke(prop::sample::Index),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            8 => (1..400_000_u32).prop_map(Step::Wait),
            2 => Just(Step::Rotate),
            1 => any::<prop::sample::Index>().prop_map(Step::Revoke),
        ];
        prop::collection::vec(step, 1..60)
    }

    fn rotate(keys: &mut Vec<KeyTimes>, now: Timestamp, policy: &KeyPolicy) {
        let plan = plan_rotation(now, policy.publish_ahead, keys);
        if let Some(end) = plan.retire_others_at {
            for other in keys.iter_mut().filter(|key| key.revoked_at.is_none()) {
                other.retired_at = Some(other.retired_at.map_or(end, |earlier| earlier.min(end)));
            }
        }
        keys.push(plan.new);
    }

    proptest! {
        /// A life of rotations, revocations and waiting, in which the job runs after each step only: between two
        /// steps nobody looks at the keys but the signers.
        #[test]
        fn tk_10_there_is_always_a_key_and_every_verifier_knows_it(
            steps in steps(),
            ahead in 60..200_000_u64,
            every in 300_000..2_000_000_u64,
            life in 60..100_000_u64,
        ) {
            let policy = KeyPolicy {
                rotate_every: Duration::from_secs(every),
                publish_ahead: Duration::from_secs(ahead),
                longest_token_life: Duration::from_secs(life),
            };
            let mut now = at(1_000);
            let mut keys = Vec::new();
            let mut signed: Vec<(usize, Timestamp)> = Vec::new();
            rotate(&mut keys, now, &policy);
            for step in steps {
                match step {
                    Step::Wait(seconds) => {
                        for part in 0..=4 {
                            let moment = now.plus(Duration::from_secs(u64::from(seconds) * part / 4));
                            let signer = signing_key(&keys, moment);
                            prop_assert!(signer.is_some(), "nobody signs at {moment}: {keys:?}");
                            signed.extend(signer.map(|signer| (signer, moment)));
                        }
                        now = now.plus(Duration::from_secs(u64::from(seconds)));
                    }
                    Step::Rotate => rotate(&mut keys, now, &policy),
                    Step::Revoke(which) => {
                        let which = which.index(keys.len());
                        keys[which].revoked_at.get_or_insert(now);
                    }
                }
                let mut runs = 0;
                while rotation_due(now, &policy, &keys) {
                    rotate(&mut keys, now, &policy);
                    runs += 1;
                    prop_assert!(runs <= 1, "the job comes to rest: {keys:?}");
                }
            }
            let settled = settle(&keys);
            prop_assert_eq!(&settle(&settled), &settled);
            for (signer, moment) in signed {
                let key = &settled[signer];
                let unrevoked = KeyTimes { revoked_at: None, ..*key };
                let last_use = moment.plus(policy.longest_token_life).plus(Duration::from_secs(60));
                prop_assert!(unrevoked.is_published(last_use, &policy), "{key:?} left before its token of {moment}");
                let in_emergency = key.active_from < key.created_at;
                let known_since = moment.since(key.published_at);
                prop_assert!(in_emergency || known_since >= policy.publish_ahead, "{key:?} signed at {moment}");
            }
        }
    }
}
