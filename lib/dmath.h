/* dmath.h - double-precision functions for the few numbers a row ends in.
 *
 * The C library's own differ in the last bit between machines (variants picked at load time), and results here must
 * not. Built from IEEE operations and fma alone; within 1 ULP of the exact function (log1p and cos: 3). */
#ifndef TRBI_DMATH_H
#define TRBI_DMATH_H

#define TRBI_LN2   0x1.62e42fefa39efp-1
#define TRBI_LOG2E 0x1.71547652b82fep+0

double trbi_exp(double x);          /* 0 and INFINITY outside the range; NaN passes through */
double trbi_log(double x);          /* x >= 0; -INFINITY at 0 */
double trbi_log1p(double x);        /* x >= -1 */
double trbi_kl_excess(double g);    /* (1 + g) log(1 + g) - g for g >= -1: KL of a mass 1 + g from 1; never negative */
double trbi_expm1_excess(double u); /* e^u - 1 - u; never negative */
double trbi_cospi_half(double x);   /* cos(pi x / 2) for x in [0, 1]; exactly 1 and 0 at the ends */

#endif
