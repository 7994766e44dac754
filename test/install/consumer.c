/* A program that uses an installed libtrb: solves one row, and fails if the header and the library disagree. */
#include <stdio.h>

#include <trb.h>

int main(void) {
  float student[4] = {1.0f, 0.0f, -1.0f, 0.5f}, teacher[4] = {-2.0f, 3.0f, 0.0f, 0.5f};
  trb_logits s = {student, 1, 4, 4, TRB_F32, 0.0f}, t = {teacher, 1, 4, 4, TRB_F32, 0.0f};
  double budget = 0.1;
  trb_blend blend;
  uint32_t version = (uint32_t)TRB_VERSION_MAJOR << 16 | TRB_VERSION_MINOR << 8 | TRB_VERSION_PATCH;
  trb_status status = trb_solve(NULL, &s, &t, &budget, 1, NULL, &blend);
  printf("%s: beta %.3f, KL %.4f of %.4f\n", trb_strerror(status), blend.beta, blend.kl_student, budget);
  return status != TRB_OK || trb_version() != version || !(blend.kl_student <= budget * (1 + 1e-6)) ||
         blend.status != TRB_ROW_BLENDED;
}
