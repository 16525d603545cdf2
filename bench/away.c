/* SoftHSM2 as if it stood elsewhere: a PKCS#11 module that passes every call on, and answers AWAY_US microseconds later
 * where a token does cryptography. The time passes asleep, as it does while a network and an HSM are at work.
 *
 *     cc -shared -fPIC -o away.so away.c -ldl        AWAY_MODULE: the module behind it
 *
 * PKCS #11 2.40, 5: CK_FUNCTION_LIST is a version and pointers in a settled order.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

typedef unsigned long word;
typedef word (*call)();

enum { ENCRYPT = 30, DECRYPT = 34, SIGN = 43, N_CALLS = 68 };

struct list {
    unsigned char version[2];
    call calls[N_CALLS];
};

static struct list *behind, shown;
static useconds_t away;

static word later(int which, word session, void *in, word n_in, void *out, word *n_out)
{
    if (out != NULL)
        usleep(away);
    return behind->calls[which](session, in, n_in, out, n_out);
}

static word encrypt(word s, void *i, word n, void *o, word *m) { return later(ENCRYPT, s, i, n, o, m); }
static word decrypt(word s, void *i, word n, void *o, word *m) { return later(DECRYPT, s, i, n, o, m); }
static word sign(word s, void *i, word n, void *o, word *m) { return later(SIGN, s, i, n, o, m); }

word C_GetFunctionList(struct list **found)
{
    if (behind == NULL) {
        void *module = dlopen(getenv("AWAY_MODULE"), RTLD_NOW | RTLD_LOCAL);
        call get = module != NULL ? (call)dlsym(module, "C_GetFunctionList") : NULL;
        if (get == NULL || get(&behind) != 0)
            return 5; /* CKR_GENERAL_ERROR */
        away = (useconds_t)atoi(getenv("AWAY_US"));
        shown = *behind;
        shown.calls[ENCRYPT] = encrypt;
        shown.calls[DECRYPT] = decrypt;
        shown.calls[SIGN] = sign;
    }
    *found = &shown;
    return 0;
}
