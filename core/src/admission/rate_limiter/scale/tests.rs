//! Which units a quota is counted in, in each room, and how times are told in them.

extern crate std;

use core::time::Duration;
use std::vec::Vec;

use super::{FULL, Room, Scale, round_up};
use crate::admission::rate_limiter::bucket::Bucket;
use crate::atomic::sync::Wide;
use crate::divisor::Divisor;
use crate::time::Instant;

const WIDE: bool = Wide::BITS == 64;
const SECOND: u64 = 1_000_000_000;
const DAY: u64 = 86_400 * SECOND;

/// Units of a nanosecond, nanoseconds of a unit, units of a token and of a bucket; `None` if nothing comes back.
type Units = Option<(u32, u64, u64, u64)>;

fn scale<const TAG: u32>((period, tokens, burst): (u64, u32, u32), room: Room) -> Scale<TAG> {
    Scale::choose(period, tokens, burst, room)
}

fn units<const TAG: u32>(quota: (u64, u32, u32), room: Room) -> Units {
    let scale = scale::<TAG>(quota, room);
    let [interval, tolerance] = [scale.interval, scale.tolerance].map(|units| (units >> TAG) as u64);
    (scale != Scale::standing_still(quota.2)).then_some((
        scale.per_nano.into(),
        scale.unit.get(),
        interval,
        tolerance,
    ))
}

fn all<const TAG: u32>(room: Room, quotas: &[((u64, u32, u32), Units)]) {
    for &(quota, expected) in quotas {
        assert_eq!(units::<TAG>(quota, room), expected, "{quota:?}");
    }
}

/// Nanoseconds of a period, tokens and burst: what they come to in a word with one bit below.
#[test]
fn the_units_are_as_fine_as_the_room_allows() {
    let room = Room::of_word(1);
    // The number that the error for a larger burst names.
    assert_eq!(room.most_tokens, if WIDE { (1 << 59) - 1 } else { 134_217_727 });
    all::<1>(room, &[((7, 3, 1), Some((3, 1, 7, 7)))]);
    if WIDE {
        all::<1>(
            room,
            &[
                ((SECOND, 3, 7), Some((3, 1, SECOND, 7 * SECOND))),
                (((1 << 59) - 1, 1, 1), Some((1, 1, (1 << 59) - 1, (1 << 59) - 1))),
                ((1 << 59, 1, 1), Some((1, 2, 1 << 58, 1 << 58))),
                // The shortest that fits are 55 ns, and 60 divide the interval.
                ((36_500 * DAY, 1, 10), Some((1, 60, 52_560_000_000_000_000, 525_600_000_000_000_000))),
                (
                    ((1 << 63) - 25, 7, 1 << 20),
                    Some((1, 2_396_746, 549_755_617_281, 576_460_546_146_041_856)),
                ),
            ],
        );
    } else {
        all::<1>(
            room,
            &[
                ((SECOND, 3, 7), Some((1, 8901, 37_449, 262_143))),
                ((1 << 18, 1, 1), Some((1, 1, 1 << 18, 1 << 18))),
                (((1 << 18) + 1, 1, 1), Some((1, 2, 131_073, 131_073))),
                ((DAY, 1, 1), Some((1, 500_000_000, 172_800, 172_800))),
                ((1, 1, (1 << 27) - 1), Some((1, 512, 1, (1 << 27) - 1))),
                ((1, 1, 1 << 27), None),
            ],
        );
    }
}

#[test]
fn the_units_are_as_fine_as_the_room_beside_a_generation_allows() {
    let room = Room::of_word(5);
    assert_eq!(room.most_tokens, if WIDE { (1 << 55) - 1 } else { 8_388_607 });
    if WIDE {
        all::<5>(
            room,
            &[
                ((SECOND, 3, 7), Some((3, 1, SECOND, 7 * SECOND))),
                (((1 << 55) - 1, 1, 1), Some((1, 1, (1 << 55) - 1, (1 << 55) - 1))),
                ((1 << 55, 1, 1), Some((1, 2, 1 << 54, 1 << 54))),
            ],
        );
    } else {
        all::<5>(
            room,
            &[
                ((SECOND, 3, 7), Some((1, 40_055, 8322, 58_254))),
                ((1 << 16, 1, 1), Some((1, 1, 1 << 16, 1 << 16))),
                (((1 << 16) + 1, 1, 1), Some((1, 2, 32_769, 32_769))),
                ((1, 1, (1 << 23) - 1), Some((1, 128, 1, (1 << 23) - 1))),
                ((1, 1, 1 << 23), None),
            ],
        );
    }
}

/// The rooms of the keyed limiter, where units have a shortest length.
#[test]
fn in_a_table_units_divide_the_interval_where_one_is_found() {
    all::<0>(
        Room::of_bits(20),
        &[
            ((3600 * SECOND, 1, 1), Some((1, 219_726_563, 16_384, 16_384))),
            ((DAY, 1, 3), Some((1, 20_000_000_000, 4320, 12_960))),
            ((60 * SECOND, 7, 10), Some((1, 5_885_534, 1457, 14_570))),
            ((SECOND, 3, 16_383), Some((1, 374_977_113, 1, 16_383))),
            ((1, 1, 65_535), Some((1, 4, 1, 65_535))),
            ((1, 1, 65_536), None),
        ],
    );
    if !WIDE {
        return;
    }
    all::<0>(
        Room::of_bits(40),
        &[
            ((1500, 1, 1), Some((1, 4, 375, 375))),
            // Not four nanoseconds: a token would be fewer than 250 of them.
            ((1500, 3, 1), Some((1, 2, 250, 250))),
            ((SECOND, 7, 1), Some((1, 4, 35_714_286, 35_714_286))),
            ((60 * SECOND, 7, 100), Some((1, 12_773, 671_059, 67_105_900))),
            ((7 * SECOND, 1, 1), Some((1, 112, 62_500_000, 62_500_000))),
            ((3600 * SECOND, 1, 1), Some((1, 56_250, 64_000_000, 64_000_000))),
            // A round one, beyond those that are tried one by one; and none.
            ((DAY, 1, 1), Some((1, 2_000_000, 43_200_000, 43_200_000))),
            ((DAY + 7, 1, 1), Some((1, 1_287_461, 67_108_829, 67_108_829))),
            // Two primes: the only unit that divides is the first that is not tried.
            ((1_000_003 * 66_833_941, 1, 1), Some((1, 995_907, 67_108_818, 67_108_818))),
            // A unit of 292 years, one of 146 years that divides nothing, and more than that.
            ((u64::MAX - 1, 1, 1 << 25), Some((1, u64::MAX / 2, 2, 1 << 26))),
            ((u64::MAX - 4, 1, 1 << 24), None),
            ((u64::MAX, 1, u32::MAX), None),
        ],
    );
}

#[test]
fn round_units_are_the_least_of_their_kind() {
    let powers = (0..19).map(|power| 10_u64.pow(power));
    let round: Vec<u64> = powers.flat_map(|power| [1, 2, 5].map(|digit| digit * power)).collect();
    let around = round.iter().flat_map(|&at| [at - 1, at, at + 1]).filter(|&least| least > 0);
    for least in (1..3000).chain(around).filter(|&least| least <= 5_000_000_000_000_000_000) {
        let expected = round.iter().copied().find(|&round| round >= least);
        assert_eq!(Some(round_up(least)), expected, "{least}");
    }
}

/// A step back of up to 73 minutes (16 bursts where words are narrow), and half of that for reservations.
#[test]
fn what_is_further_ahead_than_the_horizon_is_past() {
    let wrapping = scale::<1>((SECOND, 3, 7), Room::of_word(1));
    let slack = if WIDE { 3 << 42 } else { wrapping.tolerance >> 1 << 4 };
    let horizon = ((wrapping.tolerance >> 1) + slack) << 1;
    assert_eq!(wrapping.horizon, horizon);
    assert_eq!(wrapping.reach(), slack);
    for present in [2, 1000, Wide::MAX - 1] {
        assert_eq!(wrapping.ahead(present.wrapping_add(horizon), present), horizon);
        assert_eq!(wrapping.ahead(present.wrapping_add(horizon + 2), present), 0);
    }
    // Of a bucket with more units than the others, only as many count.
    if !WIDE {
        let large = scale::<1>((1, 1, 1 << 20), Room::of_word(1));
        assert_eq!(large.horizon, ((1 << 20) + (16 << 18)) << 1);
    }
    let endless = Scale::<1>::standing_still(3);
    assert_eq!((endless.horizon, endless.reach()), (Wide::MAX, Wide::MAX >> 2 >> 1 << 1));
    assert_eq!(endless.ahead(Wide::MAX - 1, 0), Wide::MAX - 1);
}

#[test]
fn an_arrival_that_would_read_as_a_full_bucket_is_a_unit_later_where_units_wrap() {
    let wrapping = scale::<1>((SECOND, 3, 7), Room::of_word(1));
    assert_eq!([FULL, 2, 4].map(|arrival| wrapping.stored(arrival)), [2, 2, 4]);
    let endless = Scale::<1>::standing_still(3);
    assert_eq!([FULL, 2, 4].map(|arrival| endless.stored(arrival)), [FULL, 2, 4]);
}

#[test]
fn nothing_is_reserved_beyond_the_end_of_time() {
    let endless = Scale::<1>::standing_still(3);
    assert!(endless.has_room(Wide::MAX - 10, 4, 6) && !endless.has_room(Wide::MAX - 10, 4, 7));
    let wrapping = scale::<1>((SECOND, 3, 7), Room::of_word(1));
    assert!(wrapping.has_room(Wide::MAX - 10, 4, 7), "there is none");
    let whole = scale::<1>((1000, 1, 1), Room::of_word(1));
    assert_eq!((whole.per_nano, whole.unit.get()), (1, 1));
    let now = Instant::from_nanos(u64::MAX - 10);
    let waits = [9, 10, 11, 12].map(|units| whole.wait_for(units << 1, now));
    let told = |nanos| Some(Duration::from_nanos(nanos));
    assert_eq!(waits, [told(9), told(10), None, None]);
}

/// After 292 years time stands still where whole nanoseconds are counted in nearly all of a word; elsewhere it wraps.
#[test]
fn time_stands_still_or_wraps() {
    if !WIDE {
        return;
    }
    let (fixed, adjustable) =
        (scale::<1>((SECOND, 1, 1), Room::of_word(1)), scale::<5>((SECOND, 1, 1), Room::of_word(5)));
    let last = (Wide::MAX - fixed.tolerance) >> 1 << 1;
    assert_eq!(fixed.present(Instant::from_nanos(7)), 14);
    assert_eq!([1 << 63, u64::MAX].map(|nanos| fixed.present(Instant::from_nanos(nanos))), [last; 2]);
    for nanos in [7, (1 << 59) + 7, u64::MAX - (1 << 59) + 8] {
        assert_eq!(adjustable.present(Instant::from_nanos(nanos)), 7 << 5);
    }
}

#[test]
fn a_moment_lies_between_units_unless_one_begins() {
    let scale = Scale::<5>::of_parts(1, 40, Divisor::new(40), 1 << 5, 1 << 5);
    let between = [80, 81, 119, 120].map(|nanos| scale.is_between_units(Instant::from_nanos(nanos)));
    assert_eq!(between, [false, true, true, false]);
    assert!(!Scale::<5>::standing_still(1).is_between_units(Instant::from_nanos(7)));
}

/// Each of the three parts of a bucket's word survives beside the others.
#[test]
fn a_bucket_keeps_its_arrival_generation_and_gap_apart() {
    let arrivals = [FULL, 1 << 5, 3 << 6, Wide::MAX >> 5 << 5];
    for (stamp, arrival) in (0..64).chain([u32::MAX >> 1]).flat_map(|stamp| arrivals.map(|at| (stamp, at))) {
        for gap in [false, true] {
            let bucket = Bucket::<5>::of_generation(stamp, arrival, gap);
            let parts = (bucket.arrival(), bucket.generation(), bucket.has_gap());
            assert_eq!(parts, (arrival, stamp % 16, gap));
        }
    }
}
