"""The text of C{--more-help}."""

from pacserve.config.settings import DEFAULT_PORT

GUIDE = f"""\
ABOUT

  pacserve runs on each machine of a house, an office or a campus and makes
  the machines around it the first mirror. pacman asks the pacserve of its
  own host for a file. pacserve looks into the local package caches, then at
  its peers, and then at the mirrors in pacman.conf, and answers with the
  file or hands pacman on to the machine that has it. Databases always come
  from the mirrors. Packages are checked by pacman, as always, with its
  databases and its keyring: pacserve needs no trust beyond the network's.

  pacserve itself downloads nothing and stores nothing.

PACMAN.CONF

  Put this line at the top of /etc/pacman.d/mirrorlist, before all others:

    Server = http://localhost:{DEFAULT_PORT}/request/$repo/$arch

  A repository that does not use the mirrorlist needs the same line before
  its own Server line in /etc/pacman.conf. Leave the mirrors where they are:
  pacserve reads them from pacman.conf, and pacman falls back on them when
  pacserve is not running.

  pacman.conf is read again when it, or a file that it includes, changes,
  and on SIGHUP. Only http and https mirrors are used.

  With pacman 6.1 and later "CacheServer = ..." may be used instead. pacman
  then asks pacserve for packages only, and says nothing of misses.

  If the environment sets http_proxy, pacman uses it even for localhost,
  unless no_proxy names localhost. The redirects lead to machines of the
  LAN, so no_proxy should name their addresses, too.

PACSERVE NETWORKS

  Machines find each other by name or address:

    pacserve --pacserver 10.0.0.3 --pacserver nas.lan:{DEFAULT_PORT}

  What peers hold is asked in the background, so that finding a file costs
  no search. A machine that is switched off costs nothing after the first
  try, and is used again within seconds of its return. The list may name
  this host as well, so that all machines may share one.

  Open TCP port {DEFAULT_PORT} to the LAN (contrib/iptables has a script).

  /request is answered for this host alone; --clients opens it to networks
  of machines that run no pacserve of their own. /package and /info, which
  peers ask, are answered for directly attached networks, private address
  ranges and the addresses of --pacserver; --peers opens them further.

  Only files that lie complete in a package cache are offered: databases,
  partial downloads, links and everything that is not named as a package
  never are.

CONFIGURATION FILE

  There is none. Keep the options in a shell script, for example as
  /usr/local/bin/my-pacserve:

    #!/bin/sh
    exec pacserve \\
        --pacserver 10.0.0.3 \\
        --pacserver nas.lan \\
        --clients 10.0.1.0/24 \\
        "$@"

  With systemd put them into PACSERVE_ARGS of the unit's environment file
  (contrib/systemd).
"""
