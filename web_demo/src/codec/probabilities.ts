/** The probabilities that bits are coded with, by their logits. */

import { CERTAIN, LOGIT_MAX, LOGIT_MIN, UPPER_PROBABILITIES } from "./format";

const PROBABILITIES = Uint16Array.from({ length: LOGIT_MAX - LOGIT_MIN + 1 }, (_, i) => {
  const logit = i + LOGIT_MIN;
  return logit < 0 ? CERTAIN - UPPER_PROBABILITIES[-1 - logit] : UPPER_PROBABILITIES[logit];
});

/** The probability of a 1, for a logit that is clipped to those of the table. */
export function probabilityOf(logit: number): number {
  return PROBABILITIES[Math.min(Math.max(logit, LOGIT_MIN), LOGIT_MAX) - LOGIT_MIN];
}

/** Bits that a 1 takes, by its probability; an estimate, on which no decoder rests. */
export const COST_OF_ONE = Float64Array.from(
  { length: CERTAIN + 1 },
  (_, probability) => -Math.log2(Math.max(probability, 0.5) / CERTAIN),
);

/** Bits that a bit takes at least. */
export const MIN_COST = COST_OF_ONE[UPPER_PROBABILITIES[LOGIT_MAX]];
