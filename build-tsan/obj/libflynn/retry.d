build-tsan/obj/libflynn/retry.o: libflynn/retry.c libflynn/retry.h \
 libflynn/attr.h libflynn/random.h
libflynn/retry.h:
libflynn/attr.h:
libflynn/random.h:
