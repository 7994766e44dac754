/* blend.h - opening a row of a behavior that trb_solve or trb_blend_at described. */
#ifndef TRBI_BLEND_H
#define TRBI_BLEND_H

#include "pass.h"

/* Models and blends of a call: betas in range, a teacher where one is needed. */
trb_status trbi_check_blends(trb_context *ctx, const trb_logits *student, const trb_logits *teacher,
                             const trb_blend *blend);

/* The masses of one blend, of which one that was filled in by hand has none. */
trb_status trbi_check_masses(trb_context *ctx, const trb_blend *blend, int64_t row);

/* Names the row of a behavior, with nothing read. Returns 0 or a negative row status. */
int32_t trbi_name_blend(trbi_pair *pair, const trbi_crew *crew, const trb_logits *student, const trb_logits *teacher,
                        const trb_blend *blend, int64_t row);

#endif
