/* rules/rprop.h: Rprop (Riedmiller & Braun 1993), without weight backtracking: where
 * the gradient has changed its sign it counts as 0, and the weight stays (iRprop-, Igel
 * & Huesken 2003, Table 4).
 *
 *     d = first + again d;   f = eta+ where g g_old > 0, eta- where it is < 0, else 1
 *     d = min(max(f d, least), most);   g = 0 where f = eta-
 *     u = sign(g) d;   g_old = g
 *
 * first = lr, again = 0 on the first step; then 0 and 1.  The driver's lr is 1. */

static INLINE real T(rprop)(const real *c, real g, real *s)
{
    const real shrink = c[2], grow = c[3], least = c[4], most = c[5];
    const real agree = g * s[0];
    real d = c[0] + c[1] * s[1];

    d = d * (agree > 0 ? grow : agree < 0 ? shrink : 1);
    d = d < least ? least : d;
    d = d > most ? most : d;
    g = agree < 0 ? 0 : g;
    s[0] = g;
    s[1] = d;
    return g > 0 ? d : g < 0 ? -d : g;
}
