#!/bin/sh
# Stands in for ffmpeg on a machine with a graphics chip: takes exactly the commands that a chip gets, checks them, and
# has the processor do the work. It can fail in chosen ways. Needs nothing but a shell and ffmpeg itself.
chip=%CHIP%
node=%NODE%
case " $* " in *" h264_vaapi "*) ;; *) exec %FFMPEG% "$@" ;; esac
fail() { echo "[error] $1" >&2; exit 1; }
echo "$*" >> %LOG%
case " $* " in *" -init_hw_device vaapi=va:$node,driver=i965 -filter_hw_device va "*) ;; *) fail "another device: $*" ;; esac
case " $* " in *" -rc_mode CBR "*" -bf 0 -g 9999 -force_key_frames "*) ;; *) fail "another command: $*" ;; esac
decodes=no
case " $* " in *" -hwaccel vaapi -hwaccel_device va -hwaccel_output_format vaapi "*) decodes=yes ;; esac
one=no
case " $* " in *" -frames:v 1 "*) one=yes ;; esac
[ $chip = does-not-start ] && fail "Device creation failed: -5."
[ $chip = does-not-decode ] && [ $decodes = yes ] && fail "No support for this film."
case " $* " in *" -force_key_frames 0.000000,0.980000,"*)
  # The self-test: a chip is fast on a machine that may be busy, so its frames are easy ones.
  case $chip in works|does-not-decode|is-slow|only-begins)
    [ $chip = is-slow ] && sleep 3
    exec %FFMPEG% -nostdin -v error -f lavfi -i color=gray:s=640x360:r=25:d=6 -fps_mode vfr -enc_time_base 1:90000 \
      -c:v libx264 -preset ultrafast -profile:v high -pix_fmt yuv420p -sc_threshold 0 -bf 0 -g 9999 -forced-idr 1 \
      -force_key_frames 0,0.98,1.98,2.98,3.98,4.98 -video_track_timescale 90000 -avoid_negative_ts disabled -f mp4 \
      -movflags +frag_keyframe+empty_moov+default_base_moof+frag_discont+negative_cts_offsets+skip_sidx pipe:1 ;;
  esac ;;
esac
[ $chip = only-begins ] && [ $one = no ] && fail "GPU hang."
# What is left of the command, one argument after the other.
n=$#
while [ "$n" -gt 0 ]; do
  arg=$1; shift; n=$((n - 1))
  case "$arg" in
    -init_hw_device|-filter_hw_device|-hwaccel|-hwaccel_device|-hwaccel_output_format|-rc_mode|-level) shift; n=$((n - 1)) ;;
    -force_key_frames)
      times=$1; shift; n=$((n - 1))
      [ $chip = ignores-key-frames ] || set -- "$@" -force_key_frames "$times" ;;
    -vf)
      filters=$1; shift; n=$((n - 1))
      lines=${filters##*scale_vaapi=w=*:h=}; lines=${lines%%:format=nv12,setsar=1*}
      case "$lines" in *[!0-9]*|"") fail "other filters: $filters" ;; esac
      if [ $decodes = yes ]; then want="format=nv12|vaapi,hwupload,"; else want="bwdif=deint=interlaced,format=nv12,hwupload,"; fi
      case "$filters" in "$want"scale_vaapi=*) ;; *) fail "other filters: $filters" ;; esac
      thin=""; [ $chip = loses-frames ] && [ $one = no ] && thin="select='not(mod(n\,2))+gt(0.5\,mod(t\,1))',"
      set -- "$@" -vf "${thin}scale=-2:$lines,setsar=1" ;;
    -bf)
      frames=$1; shift; n=$((n - 1))
      # Only with frames between them may key frames be no IDR pictures.
      [ $chip = no-idr ] && frames=2
      set -- "$@" -bf "$frames" ;;
    h264_vaapi)
      set -- "$@" libx264 -preset ultrafast -sc_threshold 0
      if [ $chip = no-idr ]; then set -- "$@" -x264-params open-gop=1; else set -- "$@" -forced-idr 1; fi ;;
    *) set -- "$@" "$arg" ;;
  esac
done
if [ $chip = garbles ] && [ $one = no ]; then
  %FFMPEG% "$@" | /usr/bin/python3 -c 'import sys
data = bytearray(sys.stdin.buffer.read())
at = data.find(b"mdat")
while at >= 0:
    for k in range(at + 60, min(at + 4000, len(data)), 7): data[k] ^= 0x5a
    at = data.find(b"mdat", at + 4000)
sys.stdout.buffer.write(data)'
  exit 0
fi
exec %FFMPEG% "$@"
