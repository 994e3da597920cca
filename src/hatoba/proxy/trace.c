/* Writes X-Amzn-Trace-Id into every request, inside Envoy: a dynamic module with one extension, an early header mutation.
 *
 * A request without the header gets a root, one that has it gets this hop's own mark in front, as the public documentation
 * "Request tracing for your Application Load Balancer" describes:
 *
 *     Root=1-<time, 8 hex>-<chance, 24 hex>        Self=1-<...>-<...>;<what it came with>
 *
 * Compiled by tools/compile_module.py, for one program (ENVOY_SIZE) whose interface for modules is known to be the one
 * written down here. Whatever thread Envoy calls from, nothing is shared between threads.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

/* --- the part of Envoy's interface that is used: a pointer and a length, the caller's for as long as the call lasts --- */

struct text {
    const char *at;
    size_t length;
};

/* The value of that index, false when there is none; how many there are in any case. */
extern bool envoy_dynamic_module_callback_early_header_mutation_get_header_value(void *request, struct text name,
                                                                                 struct text *value, size_t index,
                                                                                 size_t *count);
/* In the place of all values. Envoy makes a copy. */
extern bool envoy_dynamic_module_callback_early_header_mutation_set_header(void *request, struct text name,
                                                                           struct text value);

#define get_value envoy_dynamic_module_callback_early_header_mutation_get_header_value
#define set_value envoy_dynamic_module_callback_early_header_mutation_set_header
#define HOOK __attribute__((visibility("default")))

/* --- an id ------------------------------------------------------------------------------------------------------------ */

enum { CHANCE = 12, STOCK = 21 * CHANCE, ID = sizeof "1-00000000-000000000000000000000000" - 1 };

static const struct text NAME = {"x-amzn-trace-id", sizeof "x-amzn-trace-id" - 1};
static const char ROOT[] = "Root=", SELF[] = "Self=";
enum { MARK = sizeof ROOT - 1 };

/* Up to 256 bytes the kernel gives all at once, whatever signal comes; asking for a stock costs less than an id each. */
static _Thread_local unsigned char stock[STOCK];
static _Thread_local size_t left;

static void write_hex(char *to, const unsigned char *from, size_t count) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < count; i++) {
        *to++ = digits[from[i] >> 4];
        *to++ = digits[from[i] & 15];
    }
}

static bool write_id(char *to) {
    if (left < CHANCE) {
        if (getrandom(stock, STOCK, 0) != STOCK)
            return false;
        left = STOCK;
    }
    left -= CHANCE;
    uint32_t now = (uint32_t)time(NULL);
    unsigned char moment[] = {now >> 24, now >> 16, now >> 8, now};
    memcpy(to, "1-", 2);
    write_hex(to + 2, moment, sizeof moment);
    to[10] = '-';
    write_hex(to + 11, stock + left, CHANCE);
    return true;
}

/* --- requests --------------------------------------------------------------------------------------------------------- */

static void begin_trace(void *request) {
    char value[MARK + ID];
    memcpy(value, ROOT, MARK);
    if (write_id(value + MARK))
        set_value(request, NAME, (struct text){value, sizeof value});
}

/* All that it came with, as one value: of several lines, with commas. */
static void go_on(void *request, size_t count) {
    struct text each;
    size_t length = MARK + ID;
    for (size_t i = 0; i < count; i++)
        if (get_value(request, NAME, &each, i, NULL))
            length += 1 + each.length;
    char *value = malloc(length), *end = value;
    if (value == NULL)
        return;
    memcpy(end, SELF, MARK);
    end += MARK;
    if (write_id(end)) {
        end += ID;
        for (size_t i = 0; i < count; i++)
            if (get_value(request, NAME, &each, i, NULL)) {
                *end++ = i ? ',' : ';';
                if (each.length)
                    memcpy(end, each.at, each.length);
                end += each.length;
            }
        set_value(request, NAME, (struct text){value, (size_t)(end - value)});
    }
    free(value);
}

/* --- what Envoy calls ------------------------------------------------------------------------------------------------- */

/* The interface's version; or nothing, and Envoy refuses whatever names the module. */
HOOK const char *envoy_dynamic_module_on_program_init(void) {
    struct stat program;
    if (stat("/proc/self/exe", &program) != 0 || program.st_size != ENVOY_SIZE)
        return NULL;
    return ENVOY_INTERFACE;
}

/* There is nothing to configure, but a null would mean failure. */
HOOK const void *envoy_dynamic_module_on_early_header_mutation_config_new(void *config, struct text name,
                                                                          struct text content) {
    (void)config, (void)name, (void)content;
    return &NAME;
}

HOOK void envoy_dynamic_module_on_early_header_mutation_config_destroy(const void *config) { (void)config; }

/* True: further mutations may follow. */
HOOK bool envoy_dynamic_module_on_early_header_mutation_mutate(const void *config, void *request) {
    (void)config;
    struct text first;
    size_t count = 0;
    get_value(request, NAME, &first, 0, &count);
    if (count == 0)
        begin_trace(request);
    else
        go_on(request, count);
    return true;
}
