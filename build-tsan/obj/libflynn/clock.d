build-tsan/obj/libflynn/clock.o: libflynn/clock.c libflynn/clock.h
libflynn/clock.h:
