build-tsan/obj/libflynn/uuid.o: libflynn/uuid.c libflynn/uuid.h \
 libflynn/random.h
libflynn/uuid.h:
libflynn/random.h:
