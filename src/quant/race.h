/* SPDX-License-Identifier: Apache-2.0 */
/* quant/race.h — who is worst, from what was seen on some images; and whether that is settled.
 *
 * Each unit has been measured on images of its own number. Its drop is estimated twice: directly,
 * from the paired changes of the metric, and from how far it moves the answers, which is measured
 * far more precisely but says nothing about the direction. The estimate mixes both by their
 * precision (empirical Bayes): where the changes are noise the order is that of the movement, where
 * they speak they decide. low and high are of the direct estimate.
 */
#ifndef QUANT_RACE_H
#define QUANT_RACE_H

#include <stdbool.h>

/* Sums over the images a unit was measured on. */
typedef struct race_unit {
    int n;
    double change, change2;
    double harm;
    double noise, noise2, cross; /* cross: noise x signal */
    double signal, signal2;
    double base_noise;
} race_unit;

/* One image: change of the metric (its part of a mAP, to first order), movement, and the sums of
 * squares of the raw outputs. */
typedef struct race_sample {
    double change, harm, noise, signal, base_noise;
} race_sample;

void race_add(race_unit *u, const race_sample *s);

typedef struct race_rules {
    bool is_sqnr; /* judge noise instead of changes */
    bool is_only; /* harm is a loss of the metric; else (all but one) a gain */
    int n_images; /* of the data set */
    int top;
    double confidence;
} race_rules;

typedef struct race_verdict {
    double drop, low, high; /* harm, larger is worse; low <= drop <= high */
    double movement;        /* decides between equal drops */
    bool is_clear;          /* its interval lies on one side of the cut-off between the worst `top`
                               and the others */
    double n_needed;        /* images until it would be clear; infinite when nothing tells */
} race_verdict;

double race_sqnr(double signal, double noise); /* in dB, 200 at most */

/* Units have been measured on 2 images at least. `whole` is the change of all units at once: its
 * drop is large enough to tell what movement costs when no unit's is. Needs no memory. */
void race_judge(const race_unit *units, int n, const race_unit *whole, const race_rules *rules,
                race_verdict *out);
/* Worse first. */
int race_compare(const race_verdict *a, const race_verdict *b);

#endif
