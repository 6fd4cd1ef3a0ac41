"""Outputs as the tools print them, with invented devices, addresses and numbers."""

from __future__ import annotations

TABLE = """\
Mon Mar  2 09:12:44 2026
+-----------------------------------------------------------------------------------------+
| NVIDIA-SMI 570.86.15              Driver Version: 570.86.15      CUDA Version: 12.8     |
|-----------------------------------------+------------------------+----------------------+
| GPU  Name                 Persistence-M | Bus-Id          Disp.A | Volatile Uncorr. ECC |
| Fan  Temp   Perf          Pwr:Usage/Cap |           Memory-Usage | GPU-Util  Compute M. |
|                                         |                        |               MIG M. |
|=========================================+========================+======================|
|   0  NVIDIA H100 PCIe               On  |   00000000:17:00.0 Off |                    0 |
| N/A   41C    P0             83W /  350W |   71234MiB /  81559MiB |     97%      Default |
|                                         |                        |             Disabled |
+-----------------------------------------+------------------------+----------------------+
|   1  NVIDIA H100 PCIe               On  |   00000000:65:00.0 Off |                    0 |
| N/A   39C    P0             80W /  300W |   71230MiB /  81559MiB |     95%      Default |
|                                         |                        |             Disabled |
+-----------------------------------------+------------------------+----------------------+

+-----------------------------------------------------------------------------------------+
| Processes:                                                                              |
|  GPU   GI   CI              PID   Type   Process name                        GPU Memory |
|        ID   ID                                                               Usage      |
|=========================================================================================|
|    0   N/A  N/A            4711      C   /usr/bin/python3                      71220MiB |
+-----------------------------------------------------------------------------------------+
"""

# Up to 2021: a narrow table without a line for MIG, long names cut off.
OLD_TABLE = """\
+-----------------------------------------------------------------------------+
| NVIDIA-SMI 440.33.01    Driver Version: 440.33.01    CUDA Version: 10.2     |
|-------------------------------+----------------------+----------------------+
| GPU  Name        Persistence-M| Bus-Id        Disp.A | Volatile Uncorr. ECC |
| Fan  Temp  Perf  Pwr:Usage/Cap|         Memory-Usage | GPU-Util  Compute M. |
|===============================+======================+======================|
|   0  Tesla V100-SXM2...  On   | 00000000:3B:00.0 Off |                    0 |
| N/A   45C    P0    56W / 300W |  30510MiB / 32510MiB |      0%      Default |
+-------------------------------+----------------------+----------------------+

+-----------------------------------------------------------------------------+
| Processes:                                                       GPU Memory |
|  GPU       PID   Type   Process name                             Usage      |
|=============================================================================|
|  No running processes found                                                 |
+-----------------------------------------------------------------------------+
"""

# Since 610 the driver and CUDA are named by their halves.
NEW_HEADER = TABLE.replace(
    "| NVIDIA-SMI 570.86.15              Driver Version: 570.86.15      CUDA Version: 12.8     |",
    "| NVIDIA-SMI 610.11.02              KMD Version: 610.11.02     CUDA UMD Version: 13.3     |",
)

MIG_TABLE = """\
+-----------------------------------------------------------------------------------------+
| NVIDIA-SMI 570.86.15              Driver Version: 570.86.15      CUDA Version: 12.8     |
|-----------------------------------------+------------------------+----------------------+
| GPU  Name                 Persistence-M | Bus-Id          Disp.A | Volatile Uncorr. ECC |
|=========================================+========================+======================|
|   0  NVIDIA A100-SXM4-80GB          On  |   00000000:07:00.0 Off |                   On |
| N/A   34C    P0             66W /  400W |      87MiB /  81920MiB |     N/A      Default |
|                                         |                        |              Enabled |
+-----------------------------------------+------------------------+----------------------+

+-----------------------------------------------------------------------------------------+
| MIG devices:                                                                            |
+------------------+----------------------------------+-----------+-----------------------+
| GPU  GI  CI  MIG |                     Memory-Usage |        Vol|        Shared         |
|      ID  ID  Dev |                       BAR1-Usage | SM     Unc| CE ENC  DEC  OFA  JPG |
|==================+==================================+===========+=======================|
|  0    3   0   0  |              43MiB / 20096MiB    | 28      0 |  2   0    1    0    0 |
|                  |               0MiB / 32767MiB    |           |                       |
+------------------+----------------------------------+-----------+-----------------------+
|  0    4   0   1  |              44MiB / 20096MiB    | 28      0 |  2   0    1    0    0 |
|                  |               0MiB / 32767MiB    |           |                       |
+------------------+----------------------------------+-----------+-----------------------+

+-----------------------------------------------------------------------------------------+
| Processes:                                                                              |
|  No running processes found                                                             |
+-----------------------------------------------------------------------------------------+
"""

MIG_LIST = """\
GPU 0: NVIDIA A100-SXM4-80GB (UUID: GPU-0a1b2c3d-1111-2222-3333-444455556666)
  MIG 2g.20gb     Device  0: (UUID: MIG-0a1b2c3d-aaaa-bbbb-cccc-444455556666)
  MIG 2g.20gb     Device  1: (UUID: MIG-0a1b2c3d-aaaa-bbbb-dddd-444455556666)
"""

LIST = """\
GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-0a1b2c3d-1111-2222-3333-444455556666)
GPU 1: NVIDIA H100 80GB HBM3 (UUID: GPU-0a1b2c3d-1111-2222-3333-777755556666)
"""

INSTANCES = """\
+-------------------------------------------------------+
| GPU instances:                                        |
| GPU   Name             Profile  Instance   Placement  |
|                          ID       ID       Start:Size |
|=======================================================|
|   0  MIG 3g.40gb          9        1          0:4     |
+-------------------------------------------------------+
|   0  MIG 3g.40gb          9        2          4:4     |
+-------------------------------------------------------+
"""

QUERY = """\

==============NVSMI LOG==============

Timestamp                                              : Mon Mar  2 09:12:44 2026
Driver Version                                         : 550.90.07
CUDA Version                                           : 12.4

Attached GPUs                                          : 1
GPU 00000000:17:00.0
    Product Name                                       : NVIDIA H20
    MIG Mode
        Current                                        : Disabled
        Pending                                        : Disabled
    GPU UUID                                           : GPU-0a1b2c3d-1111-2222-3333-444455556666
    PCI
        Bus Id                                         : 00000000:17:00.0
    Clocks Event Reasons
        Idle                                           : Not Active
        Applications Clocks Setting                    : Not Active
        SW Power Cap                                   : Not Active
        HW Slowdown                                    : Active
            HW Thermal Slowdown                        : Active
            HW Power Brake Slowdown                    : Not Active
        Sync Boost                                     : Not Active
    FB Memory Usage
        Total                                          : 97871 MiB
        Reserved                                       : 601 MiB
        Used                                           : 90000 MiB
        Free                                           : 7270 MiB
    BAR1 Memory Usage
        Total                                          : 131072 MiB
        Used                                           : 1 MiB
    Utilization
        Gpu                                            : 100 %
        Memory                                         : 55 %
    ECC Mode
        Current                                        : Enabled
        Pending                                        : Enabled
    GPU Power Readings
        Power Draw                                     : 320.10 W
        Current Power Limit                            : 500.00 W
        Max Power Limit                                : 500.00 W
    Module Power Readings
        Current Power Limit                            : N/A
    Clocks
        SM                                             : 1200 MHz
    Max Clocks
        Graphics                                       : 1980 MHz
        SM                                             : 1980 MHz
        Memory                                         : 2619 MHz
    Fabric
        State                                          : Completed
    Processes                                          : None
"""

XML = """\
<?xml version="1.0" ?>
<!DOCTYPE nvidia_smi_log SYSTEM "nvsmi_device_v12.dtd">
<nvidia_smi_log>
\t<timestamp>Mon Mar  2 09:12:44 2026</timestamp>
\t<driver_version>550.90.07</driver_version>
\t<cuda_version>12.4</cuda_version>
\t<attached_gpus>2</attached_gpus>
\t<gpu id="00000000:17:00.0">
\t\t<product_name>NVIDIA A100-SXM4-40GB</product_name>
\t\t<uuid>GPU-0a1b2c3d-1111-2222-3333-444455556666</uuid>
\t\t<mig_mode>
\t\t\t<current_mig>Disabled</current_mig>
\t\t\t<pending_mig>Disabled</pending_mig>
\t\t</mig_mode>
\t\t<mig_devices>
\t\t\tNone
\t\t</mig_devices>
\t\t<fb_memory_usage>
\t\t\t<total>40960 MiB</total>
\t\t\t<used>39000 MiB</used>
\t\t</fb_memory_usage>
\t\t<clocks_throttle_reasons>
\t\t\t<clocks_throttle_reason_gpu_idle>Not Active</clocks_throttle_reason_gpu_idle>
\t\t\t<clocks_throttle_reason_sw_power_cap>Active</clocks_throttle_reason_sw_power_cap>
\t\t</clocks_throttle_reasons>
\t\t<ecc_mode>
\t\t\t<current_ecc>Enabled</current_ecc>
\t\t</ecc_mode>
\t\t<gpu_power_readings>
\t\t\t<current_power_limit>400.00 W</current_power_limit>
\t\t</gpu_power_readings>
\t\t<max_clocks>
\t\t\t<sm_clock>1410 MHz</sm_clock>
\t\t\t<mem_clock>1215 MHz</mem_clock>
\t\t</max_clocks>
\t</gpu>
\t<gpu id="00000000:65:00.0">
\t\t<product_name>NVIDIA A100-SXM4-40GB</product_name>
\t\t<uuid>GPU-0a1b2c3d-1111-2222-3333-777755556666</uuid>
\t\t<mig_mode>
\t\t\t<current_mig>Disabled</current_mig>
\t\t</mig_mode>
\t\t<fb_memory_usage>
\t\t\t<total>40960 MiB</total>
\t\t\t<used>38000 MiB</used>
\t\t</fb_memory_usage>
\t</gpu>
</nvidia_smi_log>
"""

CSV = """\
index, name, uuid, memory.total [MiB], memory.used [MiB], power.limit [W], compute_cap, driver_version
0, NVIDIA A100-SXM4-80GB, GPU-0a1b2c3d-1111-2222-3333-444455556666, 81920 MiB, 70000 MiB, 400.00 W, 8.0, 535.104.05
1, NVIDIA A100-SXM4-80GB, GPU-0a1b2c3d-1111-2222-3333-777755556666, 81920 MiB, 70100 MiB, 400.00 W, 8.0, 535.104.05
"""

TOPOLOGY = """\
\t\x1b[4mGPU0\tGPU1\tGPU2\tGPU3\tNIC0\tCPU Affinity\tNUMA Affinity\tGPU NUMA ID\x1b[0m
GPU0\t X \tNV18\tNV18\tNV18\tPIX\t0-47\t0\t\tN/A
GPU1\tNV18\t X \tNV18\tNV18\tNODE\t0-47\t0\t\tN/A
GPU2\tNV18\tNV18\t X \tNV18\tSYS\t48-95\t1\t\tN/A
GPU3\tNV18\tNV18\tNV18\t X \tSYS\t48-95\t1\t\tN/A
NIC0\tPIX\tNODE\tSYS\tSYS\t X \t\t\t\t

Legend:

  X    = Self
  SYS  = Connection traversing PCIe as well as the SMP interconnect between NUMA nodes (e.g., QPI/UPI)
  NV#  = Connection traversing a bonded set of # NVLinks
"""

ROCM_JSON = (
    '{"card0": {"Unique ID": "0x1", "Card Series": "AMD Instinct MI300X", "Card Model": "0x74a1",'
    ' "VRAM Total Memory (B)": "206141652992", "VRAM Total Used Memory (B)": "190000000000", "GPU use (%)": "40",'
    ' "Max Graphics Package Power (W)": "750.0"},\n'
    ' "card1": {"Card Series": "AMD Instinct MI300X", "VRAM Total Memory (B)": "206141652992"},\n'
    ' "system": {"Driver version": "6.10.5"}}\n'
)

ROCM_TEXT = """\
============================ ROCm System Management Interface ============================
================================== Product Info ==========================================
GPU[0]\t\t: Card Series: \t\tAMD Instinct MI300X
GPU[0]\t\t: Card Model: \t\t0x74a1
GPU[0]\t\t: Card Vendor: \t\tAdvanced Micro Devices, Inc. [AMD/ATI]
GPU[0]\t\t: VRAM Total Memory (B): 206141652992
GPU[1]\t\t: Card Series: \t\tAMD Instinct MI300X
Driver version: 6.10.5
================================== End of ROCm SMI Log ===================================
"""

ROCM_CONCISE = """\
====================================== ROCm System Management Interface ======================================
================================================ Concise Info ================================================
Device  Node  IDs              Temp        Power     Partitions          SCLK    MCLK    Fan  Perf  PwrCap  VRAM%  GPU%
              (DID,     GUID)  (Junction)  (Socket)  (Mem, Compute, ID)
==============================================================================================================
0       2     0x74a1,   11111  42.0°C      138.0W    NPS1, SPX, 0        132Mhz  900Mhz  0%   auto  750.0W  91%    4%
1       3     0x74a1,   22222  41.0°C      140.0W    NPS1, SPX, 0        132Mhz  900Mhz  0%   auto  750.0W  91%    6%
==============================================================================================================
============================================= End of ROCm SMI Log ============================================
"""

AMD_TABLE = """\
+------------------------------------------------------------------------------+
| AMD-SMI 26.0.0+1234abcd      amdgpu version: 6.14.14  ROCm version: 7.0.0    |
| Platform: Linux Baremetal                                                    |
|-------------------------------------+----------------------------------------|
| BDF                        GPU-Name | Mem-Uti   Temp   UEC       Power-Usage |
| GPU  HIP-ID  OAM-ID  Partition-Mode | GFX-Uti    Fan               Mem-Usage |
|=====================================+========================================|
| 0000:05:00.0    AMD Instinct MI300X | 0 %      37 °C   0           142/750 W |
|   0       0       2        SPX/NPS1 | 3 %        N/A         150283/196592 MB |
|-------------------------------------+----------------------------------------|
+-------------------------------------+----------------------------------------+
| Processes:                                                                   |
+------------------------------------------------------------------------------+
"""

AMD_STATIC = """\
GPU: 0
    ASIC:
        MARKET_NAME: AMD Instinct MI325X
        VENDOR_ID: 0x1002
    BUS:
        BDF: 0000:05:00.0
    LIMIT:
        MAX_POWER: 1000 W
    DRIVER:
        NAME: amdgpu
        VERSION: 6.12.12
    VRAM:
        TYPE: HBM
        SIZE: 262128 MB
"""

AMD_JSON = (
    '[{"gpu": 0, "asic": {"market_name": "AMD Instinct MI300X"}, "driver": {"name": "amdgpu", "version": "6.12.12"},\n'
    '  "vram": {"type": "HBM", "size": {"value": 196592, "unit": "MB"}},'
    ' "limit": {"max_power": {"value": 750, "unit": "W"}}}]\n'
)

HL_SMI = """\
+-----------------------------------------------------------------------------+
| HL-SMI Version:                              hl-1.18.0-fw-53.1.1.1          |
| Driver Version:                                     1.18.0-1234abc          |
|-------------------------------+----------------------+----------------------+
| AIP  Name        Persistence-M| Bus-Id        Disp.A | Volatile Uncorr. ECC |
| Fan  Temp  Perf  Pwr:Usage/Cap|         Memory-Usage | AIP-Util  Compute M. |
|===============================+======================+======================|
|   0  HL-225              N/A  | 0000:33:00.0     N/A |                   0  |
| N/A   22C   N/A    97W / 600W |    768MiB / 98304MiB |     0%           N/A |
|-------------------------------+----------------------+----------------------+
| Compute Processes:                                               AIP Memory |
"""

NPU_SMI = """\
+------------------------------------------------------------------------------------------------+
| npu-smi 24.1.rc2                 Version: 24.1.rc2                                             |
+---------------------------+---------------+----------------------------------------------------+
| NPU   Name                | Health        | Power(W)    Temp(C)           Hugepages-Usage(page)|
| Chip                      | Bus-Id        | AICore(%)   Memory-Usage(MB)  HBM-Usage(MB)        |
+===========================+===============+====================================================+
| 0     910B4               | OK            | 83.5        42                0    / 0             |
| 0                         | 0000:C1:00.0  | 0           0    / 0          2871 / 32768         |
+===========================+===============+====================================================+
| NPU     Chip              | Process id    | Process name             | Process memory(MB)      |
"""

NEURON = (
    '[{"neuron_device": 0, "bdf": "00:1e.0", "connected_to": null, "nc_count": 2, "memory_size": 34359738368,\n'
    '  "neuron_processes": []}]\n'
)

TPU = """\
TPU Chips
┏━━━━━━━━━━━━━┳━━━━━━━━━━━━━┳━━━━━━━━━┳━━━━━┓
┃ Chip        ┃ Type        ┃ Devices ┃ PID ┃
┡━━━━━━━━━━━━━╇━━━━━━━━━━━━━╇━━━━━━━━━╇━━━━━┩
│ /dev/accel0 │ TPU v5e chip │ 1       │ 130 │
│ /dev/accel1 │ TPU v5e chip │ 1       │ 130 │
└─────────────┴─────────────┴─────────┴─────┘
"""

XPU = (
    '{"device_list": [{"device_id": 0, "device_name": "Intel(R) Data Center GPU Max 1550", "device_type": "GPU",\n'
    '  "pci_bdf_address": "0000:4d:00.0", "uuid": "00000000-0000-0000-0000-004d00000000",'
    ' "vendor_name": "Intel(R) Corporation"}]}\n'
)
