/* The part of libav that Loge uses: key frames of one film, scaled, and JPEG.

   The film is a descriptor that is read with pread(2). libav is given no name and no protocol, and
   what a container names beyond itself is not opened. One decoder, one thread. */
#define _POSIX_C_SOURCE 200809L
#include "film.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/avutil.h>
#include <libavutil/display.h>
#include <libavutil/imgutils.h>
#include <libavutil/opt.h>
#include <libswscale/swscale.h>

/* What is read at once where libav reads little by little. */
#define IO_BYTES 32768
/* Packets from the start among which every track has begun; a later one does not count. */
#define FIRST_PACKETS 100
#define FIRST_BYTES (2 << 20)
/* From a seek to a key frame that can be shown. */
#define SEARCH_PACKETS 4000
#define SEARCH_BYTES (64 << 20)
#define KEY_TRIES 4
/* A hundred days. */
#define MOST_US ((int64_t)100 * 86400 * 1000000)

struct loge_film {
    int fd;
    int64_t at, size;
    AVIOContext *io;
    AVFormatContext *format;
    AVStream *stream;
    AVCodecContext *decoder;
    AVPacket *packet;
    AVFrame *shots[LOGE_SLOTS];
    struct SwsContext *scaler;
    /* Of the film's clock, where the film begins. */
    int64_t start_us;
};

static int io_read(void *opaque, uint8_t *out, int length) {
    struct loge_film *film = opaque;
    ssize_t n;
    do
        n = pread(film->fd, out, length, film->at);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return AVERROR(errno);
    if (n == 0)
        return AVERROR_EOF;
    film->at += n;
    return n;
}

static int64_t io_seek(void *opaque, int64_t offset, int whence) {
    struct loge_film *film = opaque;
    whence &= ~AVSEEK_FORCE;
    if (whence == AVSEEK_SIZE)
        return film->size;
    int64_t from = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? film->at : film->size;
    if ((whence != SEEK_SET && whence != SEEK_CUR && whence != SEEK_END) || offset < -from || offset > INT64_MAX - from)
        return AVERROR(EINVAL);
    return film->at = from + offset;
}

static int open_nothing(AVFormatContext *format, AVIOContext **io, const char *url, int flags, AVDictionary **options) {
    (void)format, (void)url, (void)flags, (void)options;
    *io = NULL;
    return AVERROR(EPERM);
}

static bool is_picture(const AVStream *stream) {
    return stream->codecpar->codec_type == AVMEDIA_TYPE_VIDEO && !(stream->disposition & AV_DISPOSITION_ATTACHED_PIC);
}

static bool is_cover(const AVStream *stream) {
    enum AVCodecID codec = stream->codecpar->codec_id;
    return (stream->disposition & AV_DISPOSITION_ATTACHED_PIC) && stream->attached_pic.size > 0 &&
           (codec == AV_CODEC_ID_MJPEG || codec == AV_CODEC_ID_PNG);
}

static bool is_sound(const AVStream *stream) { return stream->codecpar->codec_type == AVMEDIA_TYPE_AUDIO; }

/* When the first picture or sound is shown. Times of a film count from there. */
static int64_t find_start(struct loge_film *film) {
    AVFormatContext *format = film->format;
    int64_t start = INT64_MAX;
    int64_t bytes = 0;
    unsigned waiting = 0;
    for (unsigned i = 0; i < format->nb_streams; i++) {
        bool timed = is_picture(format->streams[i]) || is_sound(format->streams[i]);
        format->streams[i]->discard = timed ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
        waiting += timed;
    }
    for (int n = 0; n < FIRST_PACKETS && bytes < FIRST_BYTES && waiting > 0; n++) {
        if (av_read_frame(format, film->packet) < 0)
            break;
        AVStream *stream = format->streams[film->packet->stream_index];
        int64_t at = stream->start_time != AV_NOPTS_VALUE ? stream->start_time : film->packet->pts;
        bytes += film->packet->size;
        if (stream->discard != AVDISCARD_ALL && at != AV_NOPTS_VALUE) {
            at = av_rescale_q(at, stream->time_base, AV_TIME_BASE_Q);
            start = FFMIN(start, at);
            stream->discard = AVDISCARD_ALL;
            waiting--;
        }
        av_packet_unref(film->packet);
    }
    for (unsigned i = 0; i < format->nb_streams; i++)
        format->streams[i]->discard = format->streams[i] == film->stream ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
    /* What no film says is not counted from. */
    return start > -MOST_US && start < MOST_US ? start : 0;
}

static int open_decoder(struct loge_film *film, const char *decoders, int64_t max_pixels, int loop_filter) {
    const AVCodecParameters *parameters = film->stream->codecpar;
    const AVCodec *codec = avcodec_find_decoder(parameters->codec_id);
    if (!codec)
        return AVERROR_DECODER_NOT_FOUND;
    AVCodecContext *decoder = film->decoder = avcodec_alloc_context3(codec);
    if (!decoder)
        return AVERROR(ENOMEM);
    int error = avcodec_parameters_to_context(decoder, parameters);
    if (error < 0)
        return error;
    decoder->pkt_timebase = film->stream->time_base;
    decoder->thread_count = 1;
    decoder->flags |= AV_CODEC_FLAG_OUTPUT_CORRUPT;
    decoder->flags2 |= AV_CODEC_FLAG2_FAST | AV_CODEC_FLAG2_SHOW_ALL;
    decoder->skip_loop_filter = loop_filter ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
    decoder->max_pixels = max_pixels;
    AVDictionary *options = NULL;
    av_dict_set(&options, "codec_whitelist", decoders, 0);
    error = avcodec_open2(decoder, codec, &options);
    av_dict_free(&options);
    return error;
}

int loge_film_open(int fd, int track, const char *formats, const char *decoders, int max_streams, int64_t max_pixels,
                   int loop_filter, struct loge_film **out) {
    *out = NULL;
    struct loge_film *film = av_mallocz(sizeof *film);
    if (!film)
        return AVERROR(ENOMEM);
    int error = AVERROR(ENOMEM);
    film->fd = fd;
    film->size = lseek(fd, 0, SEEK_END);
    if (film->size < 0) {
        error = AVERROR(errno);
        goto failed;
    }
    film->packet = av_packet_alloc();
    for (int i = 0; i < LOGE_SLOTS; i++)
        if (!(film->shots[i] = av_frame_alloc()))
            goto failed;
    uint8_t *buffer = av_malloc(IO_BYTES);
    if (!film->packet || !buffer || !(film->io = avio_alloc_context(buffer, IO_BYTES, 0, film, io_read, NULL, io_seek))) {
        av_free(buffer);
        goto failed;
    }
    AVFormatContext *format = film->format = avformat_alloc_context();
    if (!format)
        goto failed;
    format->pb = film->io;
    format->flags |= AVFMT_FLAG_CUSTOM_IO;
    format->io_open = open_nothing;
    format->max_streams = max_streams;
    format->format_whitelist = av_strdup(formats);
    format->codec_whitelist = av_strdup(decoders);
    format->protocol_whitelist = av_strdup("none");
    if (!format->format_whitelist || !format->codec_whitelist || !format->protocol_whitelist)
        goto failed;
    /* On failure the context is freed and the pointer cleared. */
    if ((error = avformat_open_input(&film->format, NULL, NULL, NULL)) < 0)
        goto failed;
    for (unsigned i = 0; i < format->nb_streams && !film->stream; i++)
        if (format->streams[i]->codecpar->codec_type == AVMEDIA_TYPE_VIDEO && track-- == 0)
            film->stream = format->streams[i];
    error = AVERROR_STREAM_NOT_FOUND;
    if (!film->stream || !is_picture(film->stream))
        goto failed;
    if ((error = open_decoder(film, decoders, max_pixels, loop_filter)) < 0)
        goto failed;
    film->start_us = find_start(film);
    *out = film;
    return 0;
failed:
    loge_film_close(film);
    return error;
}

void loge_film_close(struct loge_film *film) {
    if (!film)
        return;
    avcodec_free_context(&film->decoder);
    avformat_close_input(&film->format);
    if (film->io)
        av_freep(&film->io->buffer);
    avio_context_free(&film->io);
    av_packet_free(&film->packet);
    for (int i = 0; i < LOGE_SLOTS; i++)
        av_frame_free(&film->shots[i]);
    sws_freeContext(film->scaler);
    av_free(film);
}

static int seek(struct loge_film *film, int64_t at_ms) {
    int64_t at = av_rescale_q(film->start_us + at_ms * 1000, AV_TIME_BASE_Q, film->stream->time_base);
    int index = film->stream->index;
    int error = av_seek_frame(film->format, index, at, AVSEEK_FLAG_BACKWARD);
    /* Before the first key frame: that one, then. */
    if (error < 0)
        error = av_seek_frame(film->format, index, at, 0);
    /* A film that cannot be entered anywhere begins all the same. */
    if (error < 0 && at_ms == 0)
        error = av_seek_frame(film->format, -1, 0, AVSEEK_FLAG_BYTE);
    return error;
}

/* One packet, and at once everything the decoder holds back. */
static int decode(struct loge_film *film) {
    AVFrame *newest = film->shots[LOGE_NEWEST];
    av_frame_unref(newest);
    int error = avcodec_send_packet(film->decoder, film->packet);
    if (error >= 0)
        error = avcodec_send_packet(film->decoder, NULL);
    if (error >= 0)
        error = avcodec_receive_frame(film->decoder, newest);
    avcodec_flush_buffers(film->decoder);
    if (error >= 0 && (newest->width < 1 || newest->height < 1 || !newest->data[0] || !sws_isSupportedInput(newest->format)))
        error = AVERROR_INVALIDDATA;
    return error;
}

static const int32_t *display_matrix(const struct loge_film *film, const AVFrame *shot) {
    const AVFrameSideData *of_shot = av_frame_get_side_data(shot, AV_FRAME_DATA_DISPLAYMATRIX);
    if (of_shot && of_shot->size >= 9 * sizeof(int32_t))
        return (const int32_t *)of_shot->data;
#if LIBAVCODEC_VERSION_MAJOR >= 61
    const AVCodecParameters *parameters = film->stream->codecpar;
    const AVPacketSideData *of_stream = av_packet_side_data_get(parameters->coded_side_data, parameters->nb_coded_side_data,
                                                                AV_PKT_DATA_DISPLAYMATRIX);
    if (of_stream && of_stream->size >= 9 * sizeof(int32_t))
        return (const int32_t *)of_stream->data;
#else
    size_t size = 0;
    const uint8_t *of_stream = av_stream_get_side_data(film->stream, AV_PKT_DATA_DISPLAYMATRIX, &size);
    if (of_stream && size >= 9 * sizeof(int32_t))
        return (const int32_t *)of_stream;
#endif
    return NULL;
}

static void describe(struct loge_film *film, struct loge_shot *shot) {
    AVFrame *newest = film->shots[LOGE_NEWEST];
    memset(shot, 0, sizeof *shot);
    shot->width = newest->width;
    shot->height = newest->height;
    AVRational sar = av_guess_sample_aspect_ratio(film->format, film->stream, newest);
    shot->sar_num = sar.num;
    shot->sar_den = sar.den;
    shot->transfer = newest->color_trc;
    shot->primaries = newest->color_primaries;
    const int32_t *matrix = display_matrix(film, newest);
    if (matrix) {
        shot->matrix[0] = matrix[0];
        shot->matrix[1] = matrix[1];
        shot->matrix[2] = matrix[3];
        shot->matrix[3] = matrix[4];
    }
}

static bool is_known(int64_t key, const int64_t *known, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (known[i] == key)
            return true;
    return false;
}

/* Decodes the key frame at or before this moment, as the newest picture. `key` is its place in the
   film; one that is known is not decoded again. */
int loge_film_key(struct loge_film *film, int64_t at_ms, const int64_t *known, size_t count, int64_t *key,
                  struct loge_shot *shot) {
    *key = -1;
    int error = seek(film, at_ms);
    if (error < 0)
        return error;
    avcodec_flush_buffers(film->decoder);
    int64_t bytes = 0;
    int tries = 0;
    int why = AVERROR_INVALIDDATA;
    for (int n = 0; n < SEARCH_PACKETS && bytes < SEARCH_BYTES && tries < KEY_TRIES; n++) {
        if ((error = av_read_frame(film->format, film->packet)) < 0)
            return tries > 0 ? why : error;
        bytes += film->packet->size;
        bool is_key = film->packet->stream_index == film->stream->index && (film->packet->flags & AV_PKT_FLAG_KEY);
        if (is_key) {
            *key = film->packet->pos;
            if (*key >= 0 && is_known(*key, known, count)) {
                av_packet_unref(film->packet);
                return LOGE_KNOWN;
            }
            tries++;
            why = decode(film);
        }
        av_packet_unref(film->packet);
        if (is_key && why >= 0) {
            describe(film, shot);
            return 0;
        }
        if (is_key && why == AVERROR(ENOMEM))
            return why;
    }
    return why;
}

/* Decodes the largest cover that comes with the film, as the newest picture. */
int loge_film_cover(struct loge_film *film, const char *decoders, int64_t max_pixels, struct loge_shot *shot) {
    AVStream *cover = NULL, *stream = film->stream;
    AVCodecContext *decoder = film->decoder;
    for (unsigned i = 0; i < film->format->nb_streams; i++) {
        AVStream *one = film->format->streams[i];
        if (is_cover(one) && (!cover || one->attached_pic.size > cover->attached_pic.size))
            cover = one;
    }
    if (!cover)
        return AVERROR_STREAM_NOT_FOUND;
    film->stream = cover;
    film->decoder = NULL;
    int error = open_decoder(film, decoders, max_pixels, 1);
    if (error >= 0 && (error = av_packet_ref(film->packet, &cover->attached_pic)) >= 0) {
        error = decode(film);
        av_packet_unref(film->packet);
    }
    if (error >= 0)
        describe(film, shot);
    avcodec_free_context(&film->decoder);
    film->stream = stream;
    film->decoder = decoder;
    return error < 0 ? error : 0;
}

/* The newest picture also becomes that of a slot. */
int loge_film_keep(struct loge_film *film, int slot) {
    if (slot <= LOGE_NEWEST || slot >= LOGE_SLOTS)
        return AVERROR(EINVAL);
    av_frame_unref(film->shots[slot]);
    return av_frame_ref(film->shots[slot], film->shots[LOGE_NEWEST]);
}

static bool is_full_range(const AVFrame *shot) {
    return shot->color_range == AVCOL_RANGE_JPEG || shot->format == AV_PIX_FMT_YUVJ420P ||
           shot->format == AV_PIX_FMT_YUVJ422P || shot->format == AV_PIX_FMT_YUVJ444P || shot->format == AV_PIX_FMT_YUVJ440P;
}

/* As players do where a film says nothing. */
static int matrix_of(const AVFrame *shot) {
    switch (shot->colorspace) {
    case AVCOL_SPC_BT709: return SWS_CS_ITU709;
    case AVCOL_SPC_FCC: return SWS_CS_FCC;
    case AVCOL_SPC_SMPTE240M: return SWS_CS_SMPTE240M;
    case AVCOL_SPC_BT2020_NCL:
    case AVCOL_SPC_BT2020_CL: return SWS_CS_BT2020;
    case AVCOL_SPC_BT470BG:
    case AVCOL_SPC_SMPTE170M: return SWS_CS_ITU601;
    default: return shot->width >= 1280 || shot->height > 576 ? SWS_CS_ITU709 : SWS_CS_ITU601;
    }
}

int loge_film_picture(struct loge_film *film, int slot, int kind, int smooth, int width, int height, uint8_t *out,
                      size_t length) {
    if (slot < 0 || slot >= LOGE_SLOTS || width < 2 || height < 2 || width > 4096 || height > 4096)
        return AVERROR(EINVAL);
    const AVFrame *shot = film->shots[slot];
    if (!shot->data[0])
        return AVERROR(EINVAL);
    /* The format says the range before the scaler is made: one of the same size would otherwise be
       copied as it is. */
    enum AVPixelFormat format = kind == LOGE_RGB48 ? AV_PIX_FMT_RGB48LE : AV_PIX_FMT_YUVJ420P;
    if ((size_t)av_image_get_buffer_size(format, width, height, 1) != length)
        return AVERROR(EINVAL);
    int flags = smooth ? SWS_BICUBIC | SWS_ACCURATE_RND : SWS_FAST_BILINEAR;
    film->scaler = sws_getCachedContext(film->scaler, shot->width, shot->height, shot->format, width, height, format, flags,
                                        NULL, NULL, NULL);
    if (!film->scaler)
        return AVERROR(EINVAL);
    sws_setColorspaceDetails(film->scaler, sws_getCoefficients(matrix_of(shot)), is_full_range(shot),
                             sws_getCoefficients(SWS_CS_ITU601), 1, 0, 1 << 16, 1 << 16);
    /* The scaler may write past the end of a line, so it gets lines with room behind them. */
    AVFrame *scaled = av_frame_alloc();
    if (!scaled)
        return AVERROR(ENOMEM);
    scaled->format = format;
    scaled->width = width;
    scaled->height = height;
    int error = av_frame_get_buffer(scaled, 0);
    if (error >= 0)
        error = sws_scale(film->scaler, (const uint8_t *const *)shot->data, shot->linesize, 0, shot->height, scaled->data,
                          scaled->linesize);
    if (error >= 0)
        error = av_image_copy_to_buffer(out, length, (const uint8_t *const *)scaled->data, scaled->linesize, format, width,
                                        height, 1);
    av_frame_free(&scaled);
    return error < 0 ? error : 0;
}

/* A higher quality is a smaller picture, 2 to 31. AVERROR(ENOSPC) when it does not fit the room. */
int loge_jpeg(const uint8_t *picture, size_t length, int width, int height, int quality, uint8_t *out, size_t room,
              size_t *written) {
    *written = 0;
    if (width < 2 || height < 2 || width > 8192 || height > 8192 || quality < 2 || quality > 31 ||
        (size_t)av_image_get_buffer_size(AV_PIX_FMT_YUVJ420P, width, height, 1) != length)
        return AVERROR(EINVAL);
    const AVCodec *codec = avcodec_find_encoder_by_name("mjpeg");
    AVCodecContext *encoder = codec ? avcodec_alloc_context3(codec) : NULL;
    AVFrame *frame = av_frame_alloc();
    AVPacket *packet = av_packet_alloc();
    int error = codec ? AVERROR(ENOMEM) : AVERROR_ENCODER_NOT_FOUND;
    if (!encoder || !frame || !packet)
        goto done;
    encoder->width = frame->width = width;
    encoder->height = frame->height = height;
    encoder->pix_fmt = AV_PIX_FMT_YUVJ420P;
    frame->format = AV_PIX_FMT_YUVJ420P;
    encoder->color_range = frame->color_range = AVCOL_RANGE_JPEG;
    encoder->time_base = (AVRational){1, 25};
    encoder->thread_count = 1;
    encoder->flags |= AV_CODEC_FLAG_QSCALE | AV_CODEC_FLAG_BITEXACT;
    encoder->global_quality = frame->quality = FF_QP2LAMBDA * quality;
    uint8_t *planes[4];
    int lines[4];
    if ((error = avcodec_open2(encoder, codec, NULL)) < 0 || (error = av_frame_get_buffer(frame, 0)) < 0 ||
        (error = av_image_fill_arrays(planes, lines, picture, AV_PIX_FMT_YUVJ420P, width, height, 1)) < 0)
        goto done;
    av_image_copy(frame->data, frame->linesize, (const uint8_t **)planes, lines, AV_PIX_FMT_YUVJ420P, width, height);
    if ((error = avcodec_send_frame(encoder, frame)) < 0 || (error = avcodec_receive_packet(encoder, packet)) < 0)
        goto done;
    error = AVERROR(ENOSPC);
    if (packet->size >= 0 && (size_t)packet->size <= room) {
        memcpy(out, packet->data, packet->size);
        *written = packet->size;
        error = 0;
    }
done:
    avcodec_free_context(&encoder);
    av_frame_free(&frame);
    av_packet_free(&packet);
    return error;
}

/* Makes the tables that decoders share, once, before anybody forks. */
void loge_warm(void) {
    static const enum AVCodecID usual[] = {AV_CODEC_ID_H264, AV_CODEC_ID_HEVC, AV_CODEC_ID_MPEG4, AV_CODEC_ID_VP9,
                                           AV_CODEC_ID_VP8,  AV_CODEC_ID_MPEG2VIDEO};
    av_log_set_level(AV_LOG_QUIET);
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) {
        const AVCodec *codec = avcodec_find_decoder(usual[i]);
        AVCodecContext *decoder = codec ? avcodec_alloc_context3(codec) : NULL;
        if (decoder) {
            decoder->thread_count = 1;
            avcodec_open2(decoder, codec, NULL);
        }
        avcodec_free_context(&decoder);
    }
    static uint8_t grey[16 * 16 * 3 / 2], out[4096];
    size_t written;
    loge_jpeg(grey, sizeof grey, 16, 16, 5, out, sizeof out, &written);
}

int loge_is_memory(int error) { return error == AVERROR(ENOMEM); }

int loge_is_room(int error) { return error == AVERROR(ENOSPC); }

void loge_words(int error, char *out, size_t room) { av_strerror(error, out, room); }

void loge_versions(uint32_t out[4]) {
    out[0] = avformat_version();
    out[1] = avcodec_version();
    out[2] = swscale_version();
    out[3] = avutil_version();
}
