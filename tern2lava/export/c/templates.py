"""The parts of the C files that are the same for all networks, as C."""

from __future__ import annotations

HEADER = """\
/* $title

   Written by tern2lava $version. C11 without heap, floating point or libraries: integers that equal tern2lava's integer
   reference bit for bit, in each neuron and step.

       static ${prefix}_t net;
$usage

   README.md says what the numbers are and what they take; readout.json has what is left to you of a readout. */
#ifndef ${upper}_H
#define ${upper}_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

$macros

/* What the functions return. */
#define ${upper}_OK 0
#define ${upper}_BAD_INPUT 1      /* a value that its input does not have; nothing was done */
#define ${upper}_TOO_MANY_STEPS 2 /* more steps than it has numbers for; nothing was done */

/* The state of one network: $ram bytes, all private. As many as you like may exist. */
typedef struct {
$members
} ${prefix}_t;

/* Rest: as before the first step of a sample. */
void ${prefix}_reset(${prefix}_t *m);

/* One step$latency_said. $given */
int ${prefix}_step(${prefix}_t *m, $parameters);
$declarations
$accessors
#ifdef __cplusplus
}
#endif

#endif
"""

SOURCE = """\
/* $title
   Written by tern2lava $version; ${file}.h says how to call it. */
#include "${file}.h"

#include <stddef.h>

/* Where elements are aligned to their size, or to less, the state takes no more. */
_Static_assert(sizeof(${prefix}_t) <= ${upper}_RAM_BYTES, "the state takes more than was computed");

$tables
$helpers
$functions"""

HELPERS = {
    "zero": """\
static void zero(void *at, size_t bytes)
{
    unsigned char *byte = (unsigned char *)at;
    while (bytes-- > 0)
        *byte++ = 0;
}
""",
    "lowest": """\
/* The number of the lowest bit that is set; one is. */
static uint32_t lowest(uint32_t word)
{
#if defined(__GNUC__)
    return (uint32_t)__builtin_ctzl((unsigned long)word);
#else
    uint32_t bit = 0;
    while ((word & 1) == 0) {
        word >>= 1;
        bit++;
    }
    return bit;
#endif
}
""",
    "row_before": """\
/* The row of `lag` calls before the latest one, of `rows`. */
static uint32_t row_before(uint32_t head, uint32_t lag, uint32_t rows)
{
    return head >= lag ? head - lag : head + rows - lag;
}
""",
    "decay_truncate_32": """\
/* x kept / 2^$bits, cut towards zero. */
static int32_t decay_truncate_32(int32_t x, int32_t kept)
{
    return x * kept / $whole;
}
""",
    "decay_truncate_64": """\
/* x kept / 2^$bits, cut towards zero. */
static int64_t decay_truncate_64(int64_t x, int64_t kept)
{
    return x * kept / $whole;
}
""",
    "decay_nearest_32": """\
/* x kept / 2^$bits, to the nearest, halves away from zero. */
static int32_t decay_nearest_32(int32_t x, int32_t kept)
{
    const int32_t product = x * kept;
    return (product + (product < 0 ? -$half : $half)) / $whole;
}
""",
    "decay_nearest_64": """\
/* x kept / 2^$bits, to the nearest, halves away from zero. */
static int64_t decay_nearest_64(int64_t x, int64_t kept)
{
    const int64_t product = x * kept;
    return (product + (product < 0 ? -$half : $half)) / $whole;
}
""",
    "sum_32": """\
/* x + y modulo 2^32, which no sum of a sample reaches. */
static int32_t sum_32(int32_t x, int32_t y)
{
    return (int32_t)((uint32_t)x + (uint32_t)y);
}
""",
    "sum_64": """\
/* x + y modulo 2^64, which no sum of a sample reaches. */
static int64_t sum_64(int64_t x, int64_t y)
{
    return (int64_t)((uint64_t)x + (uint64_t)y);
}
""",
    "times_64": """\
/* x y modulo 2^64. */
static int64_t times_64(int64_t x, int64_t y)
{
    return (int64_t)((uint64_t)x * (uint64_t)y);
}
""",
}

HARNESS = """\
/* Runs samples through ${file}.c on a computer: ./${file} STEPS [trace] < samples > results

   A sample is STEPS steps, each of them the values of all inputs in order, in the types of ${prefix}_step. Of each
   sample a line: a digest (FNV-1a) of every spike and potential of every step, then the numbers of every readout. With
   `trace` each step of each population before it, a line: t, its number, the spikes, and the potentials behind v. */
#include "${file}.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static ${prefix}_t net;
static uint32_t digest;
$buffers

static void mix(uint32_t value)
{
    digest = (digest ^ value) * 16777619u;
}

$shows
static int failed(int code)
{
    if (code != ${upper}_OK)
        fprintf(stderr, "refused with code %d\\n", code);
    return code;
}

int main(int count, char **words)
{
    const long steps = count > 1 ? strtol(words[1], NULL, 10) : 0;
    const int trace = count > 2 && strcmp(words[2], "trace") == 0;
    if (steps < 1) {
        fprintf(stderr, "usage: %s STEPS [trace] < samples\\n", words[0]);
        return 2;
    }
    for (;;) {
        long step;
        ${prefix}_reset(&net);
        digest = 2166136261u;
        for (step = 0; step < steps; step++) {
$takes
            if (failed(${prefix}_step(&net, $handed)))
                return 1;
            show(step, steps, trace);
        }
$drains
        printf("%08lx", (unsigned long)digest);
$prints
        printf("\\n");
    }
}
"""
