build-tsan/obj/libflynn/log.o: libflynn/log.c libflynn/log.h \
 libflynn/attr.h libflynn/clock.h
libflynn/log.h:
libflynn/attr.h:
libflynn/clock.h:
