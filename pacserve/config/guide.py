"""The text of `--more-help`."""

from pacserve.config.settings import DEFAULT_APT_PORT, DEFAULT_GROUPS, DEFAULT_MULTICAST_PORT, DEFAULT_PORT

GUIDE = f"""\
ABOUT

  pacserve runs on each machine of a house, an office or a campus and makes
  the machines around it the first mirror. pacman asks the pacserve of its
  own host for a file. pacserve looks into the local package caches, then at
  its peers, and then at the mirrors in pacman.conf, and answers with the
  file or redirects pacman to the machine that has it. Databases always come
  from the mirrors. pacman checks packages as always, with its databases and
  its keyring: pacserve has to be trusted no more than the network.

  Once it has a peer, each file is downloaded once for all machines: see
  DELIVERY.

PACMAN.CONF

  pacsrv setup makes pacserve the first Server of pacman, after it has shown
  the changes and asked; it can take them back, too. By hand, put this line
  at the top of /etc/pacman.d/mirrorlist, before all others:

    Server = http://localhost:{DEFAULT_PORT}/request/$repo/$arch

  A repository that does not use the mirrorlist needs the same line before
  its own Server line in /etc/pacman.conf. Leave the mirrors where they are:
  pacserve reads them from pacman.conf, and pacman falls back on them when
  pacserve is not running.

  pacman.conf is read again a second after it, or a file that it includes,
  has changed for the last time, and on SIGHUP. One that names no repository
  any more, or can't be read, leaves in force what was read before.

  Of its Server lines http, https and file are used. Other schemes, such as
  ftp and rsync, are left to pacman: a repository that has nothing else should
  not have pacserve's line, since after three files that pacserve does not
  have pacman leaves it out until its next run.

  The files of a repository on this host (file://) are sent from its folder,
  which the daemon's user must be able to read. They are not offered to peers
  from there, and no other host is asked for them unless the repository has
  an http or https mirror as well: then the order is that of pacman.conf.

  pacman follows redirects. An XferCommand must do so, too, and must fail on
  errors: curl needs -L and -f.

  A host without pacman.conf, or without pacman-conf, is one without pacman:
  pacserve starts there all the same, says so in its log, and does what does
  not need pacman, until both are there. With --pacman-conf FILE it does not
  start without that file.

  With pacman 6.1 and later "CacheServer = ..." may be used instead. pacman
  then asks pacserve for packages only, and does not report files that
  pacserve does not have.

  If the environment sets http_proxy, pacman uses the proxy even for
  localhost, unless no_proxy names localhost. pacserve redirects pacman to
  machines of the LAN, so no_proxy should name their addresses, too.

PACSERVE NETWORKS

  Start pacserve on each machine, and the machines find each other:

    pacserve --multicast

  They announce themselves on every network that this host is directly
  attached to, by IPv4 and IPv6, to the groups {DEFAULT_GROUPS[0]} and {DEFAULT_GROUPS[1]}.
  Routers do not pass announcements on. A tunnel is used only if --interface
  names it. With --interface, no other interfaces are used.

  Name the machines that multicast does not reach, with or without
  --multicast:

    pacserve --multicast --pacserver 10.9.0.3 --pacserver nas.lan:{DEFAULT_PORT}

  pacserve learns in the background which files its peers hold, so that
  finding a file takes no search. A machine that is switched off costs
  nothing after the first try, and is used again within seconds of its
  return. The list of --pacserver may include this host, so that all machines
  can use the same list.

  Each machine tells the others its host name, which they show beside its
  address on their status pages and in their logs. --host-name NAME tells
  another one, and --host-name '' none.

  Open TCP port {DEFAULT_PORT} and UDP port {DEFAULT_MULTICAST_PORT} to the LAN (contrib/iptables has
  a script).

  /request, which pacman uses, is open to this host alone; --clients opens it
  to networks of machines that run no pacserve of their own. /package and
  /info, which peers use, are open to directly attached networks, private
  address ranges and the addresses of --pacserver; --peers opens them to more.

  Only complete files in a package cache are offered to peers, never
  databases, partial downloads, links, or files without the name of a
  package. Nor are packages of a private repository: one that --private
  names, or whose only Servers need a password or are file://. They come from
  this host's caches or from the mirror, and no peer is asked for them.

APT

  pacserve --apt answers apt as well, on port {DEFAULT_APT_PORT} of this host. pacsrv setup
  --apt configures apt for it: a script tells apt to ask pacserve while that
  runs, and apt goes direct when it does not. By hand, any of these will do:

    Acquire::http::Proxy "http://127.0.0.1:{DEFAULT_APT_PORT}";
    deb http://localhost:{DEFAULT_APT_PORT}/deb.debian.org/debian stable main
    deb http://localhost:{DEFAULT_APT_PORT}/https://deb.example.org/debian stable main

  The last form is for mirrors that are asked by https: pacserve speaks TLS to
  them. apt's own https connections go past pacserve and are not shared.

  Packages are known by the SHA-256 in the lists that apt has verified, and
  indexes by the one in the release that apt was given. Under these they are
  shared with all hosts that take part, whatever their distribution and their
  architecture. The files that apt keeps in /var/cache/apt/archives are
  offered, too. What no list states comes from the mirror, and is not kept.

  Only what lies below the sources of this host's apt is answered.
  --apt-mirror URL adds a repository for containers, and with --clients for
  other hosts, of which this host need not have the lists. --apt-diffs no has
  apt fetch whole indexes in place of differences.

  --misses and --hits are for pacman: apt is never sent to another host.

DELIVERY

  pacman gets a file that a peer has by a redirect to that peer. If pacman
  asks for the same file again within an hour, the peer is taken to have
  failed: the file is then fetched through this host and checked before
  pacman gets it, from another peer if there is one. A client that cannot
  reach a peer by its address gets the file the same way.

    --hits relay      checks every file before pacman gets it, so that no
                      peer can break a transaction; for LANs with machines
                      that you do not know
    --hits redirect   never fetches from a peer what that has in its caches;
                      a download that another host leads is still followed

  A file that no host on the LAN has is downloaded here and sent to pacman
  while it arrives, as long as there is a peer to share it with. If several
  machines want it at the same time, one of them downloads it and the others
  follow its download. If a mirror fails, the next one continues at the same
  byte. Each file is checked against the size and the SHA-256 in pacman's
  database. If the file of a mirror is wrong, pacman's connection is closed,
  and its next request is served from another source. Alone on the LAN,
  pacman is redirected to the mirror.

  A file of 8 MiB and more comes from up to three mirrors of its repository at
  the same time, a part of it from each, and several smaller files are spread
  over the mirrors. --mirrors-at-once N says from how many; with 1 a file
  comes from one mirror, and from the next only where that fails.

    --misses fetch      downloads here also while there is no peer
    --misses redirect   always redirects pacman to the mirror

  A file that no database names is taken from a peer only if a mirror states
  the same size. If the folder for downloads cannot be used, a line in the
  log says so and pacman is redirected.

  If a password stands in a Server line, the files of that mirror are sent
  through this host, and the password is never passed on.

  Downloads are kept in --spool, up to --spool-size, and offered to peers
  like any package cache; the least recently used are removed first. After a
  crash only files that agree with the databases are kept. Each daemon needs
  a spool of its own, in a folder that is empty at first. A folder that has
  packages in pkg but is no spool is refused, since pacserve must never remove
  anything but its own downloads. The folder pkg of the spool may be a second
  CacheDir in pacman.conf:

    CacheDir = /var/cache/pacman/pkg/
    CacheDir = /var/cache/pacserve/pkg/

  pacman then finds there the files that were downloaded for other machines,
  and pacman -Sc cleans the folder, too. A file of the spool that another
  CacheDir of this host holds is removed from the spool when it has not been
  used for a minute, so that nothing is stored twice.

  A download that breaks off, or that pacserve or the machine stops before its
  end, is kept for a week if the database states its SHA-256, and goes on
  where it was when the file is asked for again: with --spool-size, 16 files
  and half of that size at most. pacsrv status lists them.

  Where files are downloaded here, databases come through this host, too:
  once for all clients that ask at the same time, and never an older version
  than before. While no mirror answers, the last good ones are sent, and a
  line in the log says so. A database that ends too early is not kept.

  --wan-limit limits the bytes per second that pacserve downloads from
  mirrors, and --lan-limit those that it sends to other machines and receives
  from peers. All transfers share these limits. They do not apply to files
  that pacman fetches from the host to which it was redirected.

MULTICAST FILTERING

  --multicast-filter says which of the machines that multicast finds are
  used. It may be given several times:

    i:REGEX   use matching machines, and none that match no i: filter
    x:REGEX   never use matching machines

  An x: filter counts more than any i: filter, in whatever order they are
  given. REGEX is a regular expression as in Python. It may match anywhere
  in the address and port of a machine, which are written like this:

    10.0.0.3:{DEFAULT_PORT}
    [fd77::b]:{DEFAULT_PORT}

  Put it into quotes, and write a backslash before each literal dot. The
  address begins at ^, and an IPv4 address ends at the colon.

  Only one subnet:

    pacserve --multicast --multicast-filter 'i:^10\\.0\\.0\\.'

  The same, and its IPv6 network:

    pacserve --multicast --multicast-filter 'i:^10\\.0\\.0\\.' \\
        --multicast-filter 'i:^\\[fd77:'

  All but one host:

    pacserve --multicast --multicast-filter 'x:^10\\.0\\.0\\.7:'

  A machine often has several addresses. An x: filter that matches one of
  them rejects the whole machine. Of all other machines, only the addresses
  that pass the i: filters are used. A rejected machine is never contacted.

  Filters decide which machines this host asks, not which machines may ask
  it, and do not apply to the machines that --pacserver names. Without
  --multicast they have no effect, so a script may always contain them.

CONFIGURATION FILE

  There is none. Keep the options in a shell script, for example
  /usr/local/bin/my-pacserve:

    #!/bin/sh
    exec pacserve \\
        --multicast \\
        --multicast-filter 'x:^10\\.0\\.0\\.7:' \\
        --pacserver nas.lan \\
        --clients 10.0.1.0/24 \\
        "$@"

  With systemd put them into PACSERVE_ARGS in the unit's environment file
  (contrib/systemd). Write [.] instead of \\. there, since systemd interprets
  backslashes.
"""
