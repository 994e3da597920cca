/* CRC-32C and CRC-64/NVME, eight bytes at a time (slicing-by-8): what zlib's crc32 is for the two that Python lacks.

   Reflected, so that one table's step serves both: each takes a register, bytes and their number, and gives the
   register back. `checksums.py` starts and ends them. */
#include <stddef.h>
#include <stdint.h>

#define EXPORTED __attribute__((visibility("default")))

static uint64_t tables[2][8][256];

static void fill(uint64_t table[8][256], uint64_t polynomial) {
    for (unsigned byte = 0; byte < 256; byte++) {
        uint64_t value = byte;
        for (int bit = 0; bit < 8; bit++) value = (value >> 1) ^ (polynomial & -(value & 1));
        table[0][byte] = value;
    }
    for (int slice = 1; slice < 8; slice++)
        for (unsigned byte = 0; byte < 256; byte++) {
            uint64_t before = table[slice - 1][byte];
            table[slice][byte] = (before >> 8) ^ table[0][before & 255];
        }
}

__attribute__((constructor)) static void prepare(void) {
    fill(tables[0], 0x82F63B78u);
    fill(tables[1], 0x9A6C9329AC4BC9B5u);
}

static uint64_t run(uint64_t table[8][256], uint64_t value, const unsigned char *data, size_t size) {
    for (; size >= 8; data += 8, size -= 8) {
        uint64_t word = 0;
        for (int byte = 7; byte >= 0; byte--) word = word << 8 | data[byte];
        word ^= value;
        value = 0;
        for (int byte = 0; byte < 8; byte++) value ^= table[7 - byte][word >> (8 * byte) & 255];
    }
    for (; size; data++, size--) value = (value >> 8) ^ table[0][(value ^ *data) & 255];
    return value;
}

EXPORTED uint64_t crc32c(uint64_t value, const unsigned char *data, size_t size) {
    return run(tables[0], value, data, size);
}

EXPORTED uint64_t crc64nvme(uint64_t value, const unsigned char *data, size_t size) {
    return run(tables[1], value, data, size);
}
