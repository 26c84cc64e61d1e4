/* What src/film.rs calls. Every buffer has its length beside it; every function that can fail
   answers 0 or a negative error of libav. Nothing here keeps a pointer it was given. */
#ifndef LOGE_FILM_H
#define LOGE_FILM_H

#include <stddef.h>
#include <stdint.h>

/* Mirrored in src/film.rs: 32-bit numbers only, so that there is no padding. */
struct loge_shot {
    int32_t width, height;
    int32_t sar_num, sar_den;
    /* Two rows of the display matrix, as (a b; c d); all zero when there is none. */
    int32_t matrix[4];
    int32_t transfer, primaries;
};

struct loge_film;

/* How a picture is wanted: planar 4:2:0 in the colours of JPEG, or 16 bits each of red, green
   and blue with the film's own transfer. */
enum { LOGE_JPEG420 = 0, LOGE_RGB48 = 1 };
/* Where a decoded picture lies: the newest, or one of two that are kept. */
enum { LOGE_NEWEST = 0, LOGE_SLOTS = 3 };

void loge_warm(void);
/* `track`: the number of the film among the picture streams. */
int loge_film_open(int fd, int track, const char *formats, const char *decoders, int max_streams, int64_t max_pixels,
                   int loop_filter, struct loge_film **out);
void loge_film_close(struct loge_film *film);
/* What loge_film_key answers when it came to one of the key frames that are known already. */
enum { LOGE_KNOWN = 1 };
int loge_film_key(struct loge_film *film, int64_t at_ms, const int64_t *known, size_t count, int64_t *key,
                  struct loge_shot *shot);
int loge_film_cover(struct loge_film *film, const char *decoders, int64_t max_pixels, struct loge_shot *shot);
int loge_film_keep(struct loge_film *film, int slot);
int loge_film_picture(struct loge_film *film, int slot, int kind, int smooth, int width, int height,
                      uint8_t *out, size_t length);
int loge_jpeg(const uint8_t *picture, size_t length, int width, int height, int quality,
              uint8_t *out, size_t room, size_t *written);
int loge_is_memory(int error);
int loge_is_room(int error);
void loge_words(int error, char *out, size_t room);
void loge_versions(uint32_t out[4]);

#endif
