import hashlib
import math

import numpy as np
import pytest

from tern2lava.train.data.filterbank import (
    KEPT_BITS,
    MANTISSA,
    OCTAVE,
    TABLE_BITS,
    WINDOW,
    WINDOW_BITS,
    band_levels,
    band_table,
    logarithm,
    logarithm_table,
    wave_table,
    window_table,
)

BANDS, RATE = 40, 8000
TABLES = {
    "window": window_table(),
    "waves": np.ravel(wave_table()).tolist(),
    "bands": np.ravel(band_table(BANDS, RATE)).tolist(),
    "logarithm": logarithm_table(),
}
NEAR = 1e-6


def tone(frequency: float, amplitude: float = 10_000.0) -> np.ndarray:
    t = np.arange(WINDOW) / RATE
    return np.rint(amplitude * np.cos(2 * np.pi * frequency * t)).astype(np.int16)[None]


@pytest.mark.parametrize("name", TABLES)
def test_no_entry_of_a_table_lies_near_a_tie_of_its_rounding(name: str) -> None:
    fractions = np.array(TABLES[name]) % 1.0
    assert np.abs(fractions - 0.5).min() > NEAR


def test_levels_are_those_of_the_spectrum_in_float_to_within_a_step_or_two() -> None:
    rng = np.random.default_rng(0)
    sound = (rng.normal(size=(200, WINDOW)) * 10.0 ** rng.uniform(1.5, 4, (200, 1))).clip(-32768, 32767)
    sound = np.rint(sound).astype(np.int16)
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(WINDOW + 1)[:-1], axis=1)) ** 2
    weights = np.array(band_table(BANDS, RATE))
    power = spectrum @ weights * 4.0**KEPT_BITS
    expected = OCTAVE * np.log2(power + 1)
    found = band_levels(sound, BANDS, RATE)
    assert found.shape == (200, BANDS)
    assert np.abs(found - expected).max() < 2


@pytest.mark.parametrize("frequency", [200, 700, 1500, 3000])
def test_a_tone_is_loudest_in_the_band_around_its_frequency_and_doubling_it_adds_two_octaves(frequency: int) -> None:
    weights = np.array(band_table(BANDS, RATE))
    found = band_levels(tone(frequency), BANDS, RATE)[0]
    assert found.argmax() in np.argsort(weights[round(frequency * WINDOW / RATE)])[-2:]
    twice = band_levels(tone(frequency, 20_000.0), BANDS, RATE)[0]
    assert abs(twice.max() - found.max() - 2 * OCTAVE) <= 1


def test_the_largest_sound_stays_within_what_is_exact() -> None:
    loud = np.full((1, WINDOW), -32768, np.int16)
    square = np.where(np.arange(WINDOW) % 4 < 2, 32767, -32768).astype(np.int16)[None]
    for sound in (loud, square):
        weighted = sound.astype(np.int64) * np.rint(window_table()).astype(np.int64) >> (WINDOW_BITS - KEPT_BITS)
        waves = np.rint(wave_table()).astype(np.int64)
        assert int((np.abs(weighted) @ np.abs(waves)).max()) < 2**53
        parts = [int(part) >> TABLE_BITS for part in (weighted @ waves)[0]]
        half = len(parts) // 2
        bands = np.rint(band_table(BANDS, RATE)).astype(int)
        for band in range(BANDS):
            power = 1 + sum((parts[k] ** 2 + parts[half + k] ** 2) * int(bands[k, band]) for k in range(half))
            assert power < 2**63
            assert abs(band_levels(sound, BANDS, RATE)[0, band] - OCTAVE * math.log2(power)) < 1.1


def test_the_logarithm_of_whole_numbers_is_right_to_within_a_step() -> None:
    values = np.unique(np.concatenate([np.arange(1, 2000), 2 ** np.arange(62), 2 ** np.arange(2, 62) - 1]))
    assert np.abs(logarithm(values) - OCTAVE * np.log2(values.astype(float))).max() < 1
    assert (logarithm(2 ** np.arange(62)) == OCTAVE * np.arange(62)).all()
    assert len(logarithm_table()) == MANTISSA


def test_levels_are_these_on_every_machine() -> None:
    sound = (np.random.PCG64(1).random_raw(60 * WINDOW) >> np.uint64(50)).astype(np.int16).reshape(60, WINDOW)
    assert hashlib.sha256(band_levels(sound, BANDS, RATE).tobytes()).hexdigest()[:16] == DIGEST


DIGEST = "2ef7a8f0cf561d7c"
