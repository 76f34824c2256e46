//! The entries of one set, whatever they hold.

use super::{
    Entry, Key, Owned, Place, Rank, Sight, TAG_MAX, TICKET_MAX, Table, Tally, VALUE_MAX, Visit, Wide,
};
use crate::atomic::word::{Packed, WideWord};

const MINE: Wide = 5;
const OTHER: Wide = 6;
/// Whose entry is nobody's.
const VOID: Wide = 99;

/// A pattern that loses as much as its owners have.
struct Any;

impl Visit for Any {
    type Place = Entry;
    type Out = ();

    fn is_void(&self, place: &Entry) -> bool {
        matches!(place.load(), Owned::Held { value: VOID, .. })
    }

    fn loss(&self, _: &Entry, value: Wide) -> Result<Wide, Wide> {
        Ok(value)
    }

    fn begin(&self, _: &Entry, _: Owned) -> Option<(Wide, ())> {
        Some((7, ()))
    }

    fn go_on(&self, _: &Entry, _: Wide) -> Option<()> {
        Some(())
    }
}

const fn held(tag: Wide, value: Wide) -> Owned {
    Owned::Held { tag, value }
}

const fn pending(tag: Wide, ticket: Wide) -> Owned {
    Owned::Pending { tag, ticket }
}

fn set<const N: usize>(owned: [Owned; N]) -> [Entry; N] {
    owned.map(|owned| Entry(WideWord::new(owned.pack())))
}

#[test]
fn what_an_entry_holds_survives_packing() {
    assert_eq!(Owned::unpack(Owned::Empty.pack()), Owned::Empty);
    for tag in [1, 2, 0x5A5, TAG_MAX] {
        for value in [0, 1, 0xA5A5A, VALUE_MAX] {
            assert_eq!(Owned::unpack(held(tag, value).pack()), held(tag, value));
        }
        for ticket in [0, 1, 0xA5, TICKET_MAX] {
            assert_eq!(Owned::unpack(pending(tag, ticket).pack()), pending(tag, ticket));
            let later = ticket.wrapping_add(TICKET_MAX + 1);
            assert_eq!(Owned::unpack(pending(tag, later).pack()), pending(tag, ticket), "its lowest bits");
        }
    }
    let bits = [TAG_MAX, VALUE_MAX, TICKET_MAX].map(Wide::count_ones);
    assert_eq!(bits, if Wide::BITS == 64 { [24, 40, 16] } else { [12, 20, 8] });
}

/// What another entry holds, whether the key gets in beside it, and what the other entry holds then.
#[test]
fn a_key_gets_in_unless_it_is_in_or_comes_in_before() {
    let me = pending(MINE, 3);
    for (other, before, after, left) in [
        (Owned::Empty, true, true, Owned::Empty),
        (held(OTHER, 1), true, true, held(OTHER, 1)),
        (held(OTHER, VOID), true, true, held(OTHER, VOID)),
        (pending(OTHER, 3), true, true, pending(OTHER, 3)),
        (held(MINE, 1), false, false, held(MINE, 1)),
        (held(MINE, VOID), true, true, Owned::Empty),
        // Of two attempts the one in the first entry stays.
        (pending(MINE, 4), false, true, Owned::Empty),
    ] {
        for (at, gets_in) in [(1, before), (0, after)] {
            let entries = set(if at == 1 { [other, me] } else { [me, other] });
            let table = Table { entries: &entries, tally: &Tally::new() };
            let confirmed = table.confirm(&entries, MINE, at, 3, &Any).is_some();
            assert_eq!(confirmed, gets_in, "at {at} beside {other:?}");
            let mine = match (confirmed, other) {
                (true, _) => held(MINE, 7),
                (false, Owned::Pending { .. }) => me,
                (false, _) => Owned::Empty,
            };
            let others = if confirmed { left } else { other };
            assert_eq!(
                [entries[at].load(), entries[1 - at].load()],
                [mine, others],
                "at {at} beside {other:?}"
            );
        }
    }
}

#[test]
fn a_look_finds_the_key_or_the_entry_whose_loss_is_the_least() {
    let look = |owned: [Owned; 3]| match super::look(&set(owned), MINE, &Any) {
        Sight::Held { at, .. } => (at, None),
        Sight::Pending { at, .. } => (at, Some(Rank::ComingIn)),
        Sight::Vacant { at, rank, .. } => (at + 10, Some(rank)),
        Sight::Full { .. } => (20, None),
    };
    let full = [held(OTHER, 2), held(OTHER, 1), held(OTHER, 3)];
    assert_eq!(look(full), (11, Some(Rank::Loses(1))));
    assert_eq!(look([full[0], pending(OTHER, 1), full[2]]), (11, Some(Rank::ComingIn)), "another key's");
    assert_eq!(look([pending(OTHER, 1), full[1], held(OTHER, 0)]), (12, Some(Rank::AsNew)));
    assert_eq!(look([held(OTHER, 0), held(OTHER, VOID), full[2]]), (11, Some(Rank::Empty)));
    assert_eq!(look([Owned::Empty, pending(MINE, 1), pending(MINE, 2)]), (1, Some(Rank::ComingIn)));
    assert_eq!(look([Owned::Empty, pending(MINE, 1), held(MINE, 2)]), (2, None));
}

#[test]
fn each_attempt_to_come_in_has_a_ticket_of_its_own() {
    let entries = set([Owned::Empty]);
    let table = Table { entries: &entries, tally: &Tally::new() };
    let key = Key::new(MINE as u64);
    let claim = || {
        let seen = entries[0].owner().load();
        table.claim(&entries[0], key.tag, seen, Rank::ComingIn, &Any);
        entries[0].load()
    };
    assert_ne!(claim(), claim());
}
